//! Check runs, check suites and commit statuses.

use http::{Method, StatusCode};
use serde_json::json;

use crate::place::{APP, Place};

#[tokio::test]
async fn a_check_run_is_made_changed_listed_and_its_remarks_are_read() {
    let place = Place::new().await;
    let token = place.token(json!({"checks": "write"})).await;
    let remark = |line: u32| {
        json!({
            "path": "a/Dockerfile", "start_line": line, "end_line": line, "annotation_level": "failure", "message": "no such file"
        })
    };
    let mut body = json!({"name": "a", "head_sha": place.sha, "status": "in_progress", "output": {"title": "building", "summary": ""}});
    body["output"]["annotations"] = json!([remark(3)]);
    let id = place.check_run(&token, body).await;
    let path = format!("/repos/alice/hello/check-runs/{id}");
    let end = json!({
        "status": "completed", "conclusion": "failure",
        "output": {"title": "failed", "summary": "", "text": "```\nlog\n```", "annotations": [remark(4)]},
    });
    let changed = place.ask(Method::PATCH, &path, &token, Some(end)).await.body;
    assert_eq!((&changed["status"], &changed["conclusion"]), (&"completed".into(), &"failure".into()));
    assert_eq!((&changed["output"]["annotations_count"], &changed["app"]["id"]), (&2.into(), &APP.into()));
    let all = place.ask(Method::GET, &format!("{path}/annotations?per_page=1"), &token, None).await;
    assert_eq!((&all.body[0]["start_line"], &all.body[0]["path"]), (&3.into(), &"a/Dockerfile".into()));
    let next = place.ask(Method::GET, &all.next.unwrap(), &token, None).await;
    assert_eq!((&next.body[0]["start_line"], next.next), (&4.into(), None));
    assert_eq!(place.ask(Method::GET, &path, &token, None).await.body, changed);

    let newer = place.check_run(&token, json!({"name": "a", "head_sha": place.sha})).await;
    place.check_run(&token, json!({"name": "b", "head_sha": place.sha})).await;
    let count = async |query: &str| {
        let path = format!("/repos/alice/hello/commits/main/check-runs{query}");
        place.ask(Method::GET, &path, &token, None).await.body
    };
    assert_eq!(count("").await["total_count"], 2);
    assert_eq!(count("?filter=all").await["total_count"], 3);
    assert_eq!(count("?check_name=a").await["check_runs"][0]["id"], newer);
    assert_eq!(count("?status=completed&filter=all").await["check_runs"][0]["id"], id);
    assert_eq!(count(&format!("?app_id={APP}")).await["total_count"], 2);
    assert_eq!(count("?app_id=1").await["total_count"], 0);
    assert_eq!(count("?filter=some").await["message"], "filter has to be latest or all");
}

#[tokio::test]
async fn wrong_reports_are_refused_in_githubs_words() {
    let place = Place::new().await;
    let token = place.token(json!({"checks": "write"})).await;
    let runs = "/repos/alice/hello/check-runs";
    for (body, status) in [
        (json!({"name": "a", "head_sha": "a".repeat(40)}), 422),
        (json!({"name": "a", "head_sha": "main^"}), 422),
        (json!({"name": " ", "head_sha": place.sha}), 422),
        (json!({"head_sha": place.sha, "name": "a", "status": "unknown"}), 422),
        (json!({"name": "a"}), 422),
    ] {
        assert_eq!(place.ask(Method::POST, runs, &token, Some(body.clone())).await.status, status, "{body}");
    }
    let own = place.alice(Method::POST, runs, Some(json!({"name": "a", "head_sha": place.sha}))).await;
    assert_eq!(
        (own.status, own.body["message"].as_str()),
        (StatusCode::FORBIDDEN, Some("You must authenticate via a GitHub App."))
    );
    let nothing = place.ask(Method::GET, "/repos/alice/hello/check-runs/5", &token, None).await;
    assert_eq!((nothing.status, nothing.body["message"].as_str()), (StatusCode::NOT_FOUND, Some("Not Found")));
}

#[tokio::test]
async fn a_rerequested_run_is_told_and_may_begin_anew() {
    let place = Place::new().await;
    let token = place.token(json!({"checks": "write"})).await;
    let going = json!({"name": "stack-deploy", "head_sha": place.sha, "status": "in_progress"});
    let id = place.check_run(&token, going).await;
    let again = format!("/repos/alice/hello/check-runs/{id}/rerequest");
    assert_eq!(place.alice(Method::POST, &again, None).await.status, StatusCode::FORBIDDEN, "it is not at its end");
    let run = format!("/repos/alice/hello/check-runs/{id}");
    place.ask(Method::PATCH, &run, &token, Some(json!({"conclusion": "failure"}))).await;
    let bob = place.push_token("bob");
    assert_eq!(place.ask(Method::POST, &again, &bob, None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(place.alice(Method::POST, &again, None).await.status, StatusCode::CREATED);
    let told = place.webhook("check_run").await;
    assert_eq!((&told["action"], &told["check_run"]["id"]), (&"rerequested".into(), &id.into()));
    assert_eq!(
        (&told["check_run"]["conclusion"], &told["check_run"]["name"]),
        (&"failure".into(), &"stack-deploy".into())
    );
    let suite = &told["check_run"]["check_suite"];
    assert_eq!((&suite["head_branch"], &suite["head_sha"]), (&"main".into(), &place.sha.clone().into()));
    assert_eq!((&told["installation"]["id"], &told["repository"]["full_name"]), (&1.into(), &"alice/hello".into()));
    assert_eq!(place.ask(Method::GET, &run, &token, None).await.body["conclusion"], "failure", "the App decides");
    let queued = place.ask(Method::PATCH, &run, &token, Some(json!({"status": "queued"}))).await.body;
    assert_eq!((&queued["status"], &queued["conclusion"]), (&"queued".into(), &serde_json::Value::Null));
}

#[tokio::test]
async fn a_suite_is_all_runs_of_a_commit() {
    let place = Place::new().await;
    let token = place.token(json!({"checks": "write"})).await;
    let suites = "/repos/alice/hello/commits/main/check-suites";
    assert_eq!(place.ask(Method::GET, suites, &token, None).await.body["total_count"], 0);
    for (name, conclusion) in [("a", "success"), ("b", "neutral"), ("c", "failure")] {
        place.check_run(&token, json!({"name": name, "head_sha": place.sha, "conclusion": conclusion})).await;
    }
    let list = place.ask(Method::GET, suites, &token, None).await.body;
    let suite = &list["check_suites"][0];
    assert_eq!((&suite["status"], &suite["conclusion"]), (&"completed".into(), &"failure".into()));
    assert_eq!(
        (&suite["head_commit"]["message"], &suite["latest_check_runs_count"]),
        (&"change stack.yml".into(), &3.into())
    );
    let path = format!("/repos/alice/hello/check-suites/{}", suite["id"]);
    assert_eq!(place.ask(Method::GET, &path, &token, None).await.body["id"], suite["id"]);
    let runs = place.ask(Method::GET, &format!("{path}/check-runs"), &token, None).await.body;
    assert_eq!(runs["total_count"], 3);
    assert_eq!(place.alice(Method::POST, &format!("{path}/rerequest"), None).await.status, StatusCode::CREATED);
    let told = place.webhook("check_suite").await;
    assert_eq!((&told["action"], &told["check_suite"]["head_sha"]), (&"rerequested".into(), &place.sha.clone().into()));
    let unknown = place.alice(Method::POST, "/repos/alice/hello/check-suites/1/rerequest", None).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn statuses_are_kept_by_context_and_combined() {
    let place = Place::new().await;
    let token = place.token(json!({"statuses": "write"})).await;
    let path = format!("/repos/alice/hello/statuses/{}", place.sha);
    let say = async |context: &str, state: &str| {
        let body = json!({"state": state, "context": context, "description": "x", "target_url": "http://t"});
        let made = place.ask(Method::POST, &path, &token, Some(body)).await;
        assert_eq!((made.status, made.body["state"].as_str()), (StatusCode::CREATED, Some(state)));
    };
    let combined = async || {
        let path = "/repos/alice/hello/commits/main/status";
        place.ask(Method::GET, path, &token, None).await.body["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(combined().await, "pending");
    say("a", "success").await;
    assert_eq!(combined().await, "success");
    say("b", "pending").await;
    assert_eq!(combined().await, "pending");
    say("b", "error").await;
    assert_eq!(combined().await, "failure");
    let list = place.ask(Method::GET, "/repos/alice/hello/commits/main/statuses", &token, None).await.body;
    let shown: Vec<_> = list.as_array().unwrap().iter().map(|s| (s["context"].as_str(), s["state"].as_str())).collect();
    assert_eq!(shown, [(Some("b"), Some("error")), (Some("a"), Some("success"))]);
}
