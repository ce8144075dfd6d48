//! Collections against the whole function, with a gateway that keeps functions.

use axum::Router;
use http::StatusCode;
use sdk::fake_gateway::FakeGateway;
use sdk::garbage::{GarbageRequest, Scope};
use sdk::gateway::FunctionStatus;
use sdk::labels;
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
        until: None,
        sha: None,
        actor: String::new(),
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
    let audit: sdk::audit::AuditEvent = setup.gateway.messages("audit-event")[0].read();
    assert_eq!(audit.message, "garbage collected: alice-lost, formerlogin-lost");

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
    assert_eq!(text, "1 of the functions that left the repository could not be deleted\n");
    assert_eq!(setup.gateway.function_names().len(), 1);
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
