//! Collections against the whole function, with a gateway that keeps functions.

use axum::Router;
use http::StatusCode;
use sdk::audit::AuditEvent;
use sdk::fake_gateway::FakeGateway;
use sdk::garbage::{GarbageRequest, Scope};
use sdk::gateway::FunctionStatus;
use sdk::labels;
use sdk::secrets::SecretsRequest;
use tower::ServiceExt;

struct Setup {
    gateway: FakeGateway,
    router: Router,
}

#[expect(clippy::unwrap_used, reason = "test helper")]
async fn setup() -> Setup {
    let gateway = FakeGateway::start().await;
    let router = garbage_collect::router(&gateway.env(&[], &[])).unwrap();
    Setup { gateway, router }
}

fn request(repo: &str, keep: &[&str]) -> GarbageRequest {
    GarbageRequest {
        host: "git.localhost".to_owned(),
        owner: parsed("alice"),
        owner_id: 7,
        repo: parsed(repo),
        repo_id: None,
        former_owners: false,
        until: None,
        sha: Some(parsed(&"a".repeat(40))),
        actor: "bob".to_owned(),
        keep: keep.iter().map(|name| parsed(name)).collect(),
    }
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

impl Setup {
    fn put(&self, name: &str, owner_id: &str, repo: &str) {
        self.put_with(name, &[(labels::GIT_OWNER_ID, owner_id), (labels::GIT_REPO, repo)]);
    }

    fn put_with(&self, name: &str, changed: &[(&str, &str)]) {
        let usual = [(labels::GIT_CLOUD, "1"), (labels::GIT_SCM, "git.localhost"), (labels::GIT_OWNER_ID, "7")];
        let more = [(labels::GIT_REPO, "hello")];
        let all = usual.iter().chain(&more).chain(changed).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let function = FunctionStatus { name: name.to_owned(), labels: all.collect(), ..FunctionStatus::default() };
        self.gateway.put_function(function);
    }

    fn audits(&self) -> Vec<AuditEvent> {
        self.gateway.messages("audit-event").iter().map(sdk::fake_gateway::Message::read).collect()
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    async fn collect(&self, request: &GarbageRequest) -> (StatusCode, String) {
        let request = self.gateway.signed("garbage-collect", request, "call-1");
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(text.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn only_what_the_repository_lost_is_deleted() {
    let setup = setup().await;
    for name in ["alice-kept", "alice-lost", "formerlogin-lost"] {
        setup.put(name, "7", "hello");
    }
    setup.put("alice-of-another-repo", "7", "other");
    setup.put("alice-of-a-repo-that-begins-so", "7", "hello2");
    setup.put("alice-of-who-had-the-login-before", "8", "hello");
    setup.put("alicex-fn", "77", "hello");
    setup.put_with("alice-of-another-host", &[(labels::GIT_SCM, "github.com")]);
    setup.put_with("alice-by-hand", &[(labels::GIT_CLOUD, "0")]);
    setup.put_with("git-tar", &[]);
    setup.put_with("platforms", &[(labels::ROLE, labels::SYSTEM_ROLE)]);
    setup.gateway.put_function(FunctionStatus { name: "alice-unlabelled".to_owned(), ..FunctionStatus::default() });

    let before = setup.gateway.function_names().len();
    let (status, text) = setup.collect(&request("hello", &["kept"])).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, r#"{"deleted":["alice-lost","formerlogin-lost"]}"#));
    let left = setup.gateway.function_names();
    assert_eq!(left.len(), before - 2);
    assert!(!left.contains(&"alice-lost".to_owned()));
    let audit: AuditEvent = setup.gateway.messages("audit-event")[0].read();
    assert_eq!(audit.message, "deleting what is no longer wanted: alice-lost, formerlogin-lost");
    assert_eq!((audit.owner.as_str(), audit.repo.as_str(), audit.actor.as_str()), ("alice", "hello", "bob"));
    assert_eq!((audit.sha.len(), audit.call_id.as_str()), (40, "call-1"));
    assert_eq!(audit.owner_id, Some(request("hello", &[]).owner_id()));

    let again = setup.collect(&request("hello", &["kept"])).await;
    assert_eq!(again, (StatusCode::OK, r#"{"deleted":[]}"#.to_owned()));
    assert_eq!(setup.gateway.messages("audit-event").len(), 1);
}

#[tokio::test]
async fn an_owner_who_left_loses_everything_and_nobody_else_anything() {
    let setup = setup().await;
    setup.put("alice-a", "7", "hello");
    setup.put("alice-b", "7", "other");
    setup.put("bob-a", "8", "hello");
    let (status, text) = setup.collect(&request("*", &[])).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, r#"{"deleted":["alice-a","alice-b"]}"#));
    assert_eq!(setup.gateway.function_names(), ["bob-a"]);
}

#[tokio::test]
async fn a_deletion_that_fails_is_worth_another_try_and_the_others_are_done() {
    let setup = setup().await;
    setup.put("alice-a", "7", "hello");
    setup.put("alice-b", "7", "hello");
    setup.gateway.refuse_next("DELETE /system/functions", StatusCode::INTERNAL_SERVER_ERROR, "engine away");
    let (status, text) = setup.collect(&request("hello", &[])).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert_eq!(text, "1 of the functions that are to go could not be deleted\n");
    assert_eq!(setup.gateway.function_names().len(), 1);
    let left = format!("could not be deleted yet: {}", setup.gateway.function_names()[0]);
    assert_eq!(setup.audits().last().unwrap().message, left);
    assert_eq!(setup.collect(&request("hello", &[])).await.0, StatusCode::OK);
    assert!(setup.gateway.function_names().is_empty());
}

#[tokio::test]
async fn a_gateway_that_does_not_list_deletes_nothing() {
    let setup = setup().await;
    setup.put("alice-a", "7", "hello");
    setup.gateway.refuse_next("GET /system/functions", StatusCode::OK, "<html>");
    assert_eq!(setup.collect(&request("hello", &[])).await.0, StatusCode::BAD_GATEWAY);
    assert_eq!(setup.gateway.function_names(), ["alice-a"]);
    let why = "nothing was deleted: the gateway does not say which functions there are";
    assert_eq!(setup.audits()[0].message, why);
}

#[tokio::test]
async fn an_owner_without_a_number_and_an_unsigned_request_are_refused() {
    let setup = setup().await;
    setup.put_with("alice-a", &[(labels::GIT_OWNER_ID, "0")]);
    let nobody = GarbageRequest { owner_id: 0, repo: Scope::Everything, ..request("hello", &[]) };
    assert_eq!(setup.collect(&nobody).await.0, StatusCode::BAD_REQUEST);
    let body = serde_json::to_string(&request("hello", &[])).unwrap();
    let unsigned = http::Request::post("/").body(body).unwrap();
    assert_eq!(setup.router.clone().oneshot(unsigned).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(setup.gateway.function_names(), ["alice-a"]);
}

#[tokio::test]
async fn a_repository_is_its_number_where_functions_have_one_and_its_name_where_not() {
    let setup = setup().await;
    setup.put_with("alice-of-before-the-rename", &[(labels::GIT_REPO_ID, "1"), (labels::GIT_REPO, "former")]);
    setup.put_with("alice-of-a-new-one-of-that-name", &[(labels::GIT_REPO_ID, "2")]);
    setup.put("alice-of-an-older-platform", "7", "hello");
    let numbered = GarbageRequest { repo_id: Some(1), ..request("hello", &[]) };
    let (status, text) = setup.collect(&numbered).await;
    let deleted = r#"{"deleted":["alice-of-an-older-platform","alice-of-before-the-rename"]}"#;
    assert_eq!((status, text.as_str()), (StatusCode::OK, deleted));
    assert_eq!(setup.gateway.function_names(), ["alice-of-a-new-one-of-that-name"]);
    // Who knows no number means the name.
    assert_eq!(setup.collect(&request("hello", &[])).await.0, StatusCode::OK);
    assert!(setup.gateway.function_names().is_empty());
}

#[tokio::test]
async fn what_was_deployed_after_the_removal_stays_when_the_removal_comes_again() {
    let setup = setup().await;
    setup.put_with("alice-before", &[(labels::GIT_DEPLOY_TIME, "1000")]);
    setup.put_with("alice-without-a-time", &[]);
    setup.put_with("alice-after", &[(labels::GIT_DEPLOY_TIME, "1001")]);
    let removal = GarbageRequest { until: Some(1000), ..request("*", &[]) };
    for deleted in [r#"{"deleted":["alice-before","alice-without-a-time"]}"#, r#"{"deleted":[]}"#] {
        assert_eq!(setup.collect(&removal).await, (StatusCode::OK, deleted.to_owned()));
    }
    assert_eq!(setup.gateway.function_names(), ["alice-after"]);
}

#[tokio::test]
async fn a_function_that_was_deployed_again_while_others_went_is_kept() {
    let setup = setup().await;
    setup.put("alice-a", "7", "hello");
    // The list is older than what the gateway says of the function itself.
    setup.gateway.refuse_next("GET /system/functions", StatusCode::OK, &listed("alice-a", "7"));
    setup.put("alice-a", "8", "hello");
    assert_eq!(setup.collect(&request("hello", &[])).await, (StatusCode::OK, r#"{"deleted":[]}"#.to_owned()));
    assert_eq!(setup.gateway.function_names(), ["alice-a"]);
    assert_eq!(setup.audits().last().unwrap().message, "deployed again in the meantime, so not deleted: alice-a");
}

fn listed(name: &str, owner_id: &str) -> String {
    let labels = [
        (labels::GIT_CLOUD, "1"),
        (labels::GIT_SCM, "git.localhost"),
        (labels::GIT_OWNER_ID, owner_id),
        (labels::GIT_REPO, "hello"),
    ];
    let labels: std::collections::BTreeMap<_, _> = labels.into_iter().collect();
    serde_json::json!([{"name": name, "image": "i", "labels": labels}]).to_string()
}

#[tokio::test]
async fn a_thousand_functions_go_some_at_a_time_and_the_trail_names_each() {
    let setup = setup().await;
    for number in 0..1000 {
        setup.put(&format!("alice-function-number-{number}"), "7", "hello");
    }
    setup.put("bob-a", "8", "hello");
    for _ in 0..3 {
        setup.gateway.refuse_next("DELETE /system/functions", StatusCode::INTERNAL_SERVER_ERROR, "engine away");
    }
    let (status, text) = setup.collect(&request("*", &[])).await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::BAD_GATEWAY, "3 of the functions that are to go could not be deleted\n")
    );
    assert_eq!(setup.gateway.function_names().len(), 4);
    assert_eq!(setup.collect(&request("*", &[])).await.0, StatusCode::OK);
    assert_eq!(setup.gateway.function_names(), ["bob-a"]);
    let audits = setup.audits();
    assert!(audits.iter().all(|line| line.message.len() < 3000), "none is cut on its way");
    let deletions: Vec<&str> =
        audits.iter().filter_map(|line| line.message.strip_prefix("deleting what is no longer wanted: ")).collect();
    let mut named: Vec<&str> = deletions.iter().flat_map(|names| names.split(", ")).collect();
    assert_eq!(named.len(), 1003, "each, and three a second time");
    named.sort_unstable();
    named.dedup();
    assert_eq!(named.len(), 1000);
}

#[tokio::test]
async fn what_a_transferred_repository_left_behind_goes_and_its_new_owners_stays() {
    let setup = setup().await;
    let moved = |owner: &'static str, id: &'static str| [(labels::GIT_OWNER_ID, owner), (labels::GIT_REPO_ID, id)];
    setup.put_with("acme-greet", &moved("7", "1"));
    setup.put_with("new-greet", &moved("8", "1"));
    setup.put_with("acme-other", &moved("7", "2"));
    // Its number is not known, so nothing proves whose it is.
    setup.put("acme-old", "7", "hello");
    setup.put_with("else-greet", &[(labels::GIT_SCM, "github.com"), (labels::GIT_REPO_ID, "1")]);
    let request = GarbageRequest { owner_id: 8, repo_id: Some(1), former_owners: true, ..request("hello", &[]) };
    assert_eq!(setup.collect(&request).await, (StatusCode::OK, r#"{"deleted":["acme-greet"]}"#.to_owned()));
    assert_eq!(setup.audits()[0].owner_id, None, "the number is of who has the repository now");
    let gone = GarbageRequest { owner_id: 0, ..request.clone() };
    assert_eq!(setup.collect(&gone).await, (StatusCode::OK, r#"{"deleted":["new-greet"]}"#.to_owned()));
    assert_eq!(setup.gateway.function_names(), ["acme-old", "acme-other", "else-greet"]);
    for vague in [
        GarbageRequest { repo_id: None, ..request.clone() },
        GarbageRequest { repo: Scope::Everything, ..request.clone() },
        GarbageRequest { former_owners: false, ..gone },
    ] {
        assert_eq!(setup.collect(&vague).await.0, StatusCode::BAD_REQUEST);
    }
}

fn farewell(repo: &str) -> GarbageRequest {
    GarbageRequest { sha: None, repo_id: Some(1), until: Some(2_000_000_000), ..request(repo, &[]) }
}

#[tokio::test]
async fn who_leaves_takes_the_secrets_along_and_a_push_does_not() {
    let setup = setup().await;
    setup.put("alice-a", "7", "hello");
    assert_eq!(setup.collect(&request("hello", &[])).await.0, StatusCode::OK);
    assert!(setup.gateway.messages("import-secrets").is_empty(), "an emptied stack is no farewell");
    let everybody = GarbageRequest { repo: Scope::Everything, repo_id: None, ..farewell("hello") };
    let transferred = GarbageRequest { former_owners: true, owner_id: 0, ..farewell("hello") };
    for (number, farewell) in [farewell("hello"), everybody, transferred].into_iter().enumerate() {
        let setup = crate::setup().await;
        setup.put_with("alice-a", &[(labels::GIT_REPO_ID, "1")]);
        assert_eq!(setup.collect(&farewell).await.0, StatusCode::OK, "{number}");
        assert!(setup.gateway.function_names().is_empty(), "{number}");
        let told = setup.gateway.messages("import-secrets");
        let [message] = told.as_slice() else { panic!("{number}: {told:?}") };
        assert!(message.queued && message.call == "call-1");
        assert_eq!(message.read::<SecretsRequest>(), SecretsRequest::Withdraw(farewell));
    }
}

#[tokio::test]
async fn secrets_stay_as_long_as_a_function_of_the_repository_does() {
    let setup = setup().await;
    setup.put("alice-a", "7", "hello");
    setup.gateway.refuse_next("DELETE /system/functions", StatusCode::INTERNAL_SERVER_ERROR, "engine away");
    assert_eq!(setup.collect(&farewell("hello")).await.0, StatusCode::BAD_GATEWAY);
    assert!(setup.gateway.messages("import-secrets").is_empty());
    assert_eq!(setup.collect(&farewell("hello")).await.0, StatusCode::OK);
    assert_eq!(setup.gateway.messages("import-secrets").len(), 1);
}

#[tokio::test]
async fn a_platform_without_secrets_has_none_to_withdraw_and_a_busy_one_is_asked_again() {
    let route = "POST /async-function/import-secrets";
    let setup = setup().await;
    setup.gateway.refuse_next(route, StatusCode::NOT_FOUND, "no such function");
    assert_eq!(setup.collect(&farewell("hello")).await.0, StatusCode::OK);
    setup.gateway.refuse_next(route, StatusCode::SERVICE_UNAVAILABLE, "busy");
    let (status, text) = setup.collect(&farewell("hello")).await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::BAD_GATEWAY, "the functions are deleted, and the secrets are not yet\n")
    );
    assert_eq!(setup.collect(&farewell("hello")).await.0, StatusCode::OK);
    assert_eq!(setup.gateway.messages("import-secrets").len(), 1);
}
