//! Deployments that are asked for and reported.

use http::{Method, StatusCode};
use serde_json::json;

use crate::place::Place;

const DEPLOYMENTS: &str = "/repos/alice/hello/deployments";

#[tokio::test]
async fn an_owner_asks_for_a_commit_and_the_app_is_told() {
    let place = Place::new().await;
    let body = json!({
        "ref": place.sha, "auto_merge": false, "required_contexts": [], "payload": {"rebuild": true}, "description": "back"
    });
    let made = place.alice(Method::POST, DEPLOYMENTS, Some(body)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    assert_eq!((&made.body["task"], &made.body["environment"]), (&"deploy".into(), &"production".into()));
    assert_eq!(
        (&made.body["creator"]["login"], &made.body["performed_via_github_app"]),
        (&"alice".into(), &json!(null))
    );
    let told = place.webhook("deployment").await;
    assert_eq!((&told["action"], &told["deployment"]["payload"]), (&"created".into(), &json!({"rebuild": true})));
    assert_eq!(
        (&told["deployment"]["sha"], &told["deployment"]["ref"]),
        (&place.sha.clone().into(), &place.sha.clone().into())
    );
    assert_eq!((&told["sender"]["login"], &told["installation"]["id"]), (&"alice".into(), &1.into()));

    let token = place.token(json!({"deployments": "write"})).await;
    let id = &made.body["id"];
    let statuses = format!("{DEPLOYMENTS}/{id}/statuses");
    let said = json!({"state": "success", "environment_url": "http://alice.localhost", "log_url": "http://log"});
    let said = place.ask(Method::POST, &statuses, &token, Some(said)).await;
    assert_eq!((said.status, &said.body["state"]), (StatusCode::CREATED, &"success".into()));
    assert_eq!(said.body["creator"]["login"], "openfaas-cloud[bot]");
    let list = place.alice(Method::GET, &statuses, None).await.body;
    assert_eq!(list, json!([said.body]));
    let one = place.alice(Method::GET, &format!("{statuses}/{}", said.body["id"]), None).await.body;
    assert_eq!(one, said.body);
    assert_eq!(place.alice(Method::GET, &format!("{DEPLOYMENTS}/{id}"), None).await.body["id"], *id);
}

#[tokio::test]
async fn lists_are_narrowed() {
    let place = Place::new().await;
    let token = place.token(json!({"deployments": "write"})).await;
    for (task, environment) in [("deploy:openfaas-cloud", "staging"), ("deploy", "production")] {
        let body = json!({"ref": "main", "task": task, "environment": environment, "required_contexts": []});
        assert_eq!(place.ask(Method::POST, DEPLOYMENTS, &token, Some(body)).await.status, StatusCode::CREATED);
    }
    let second = place.work.commit("stack.yml", "two").await;
    place.push("alice/hello", &["main"]).await;
    for (query, count) in [
        ("", 2),
        ("?environment=staging", 1),
        ("?task=deploy%3Aopenfaas-cloud", 1),
        ("?task=deploy&environment=staging", 0),
        (&format!("?sha={}", place.sha), 2),
        (&format!("?sha={second}"), 0),
        ("?ref=main&environment=none", 2),
    ] {
        let list = place.ask(Method::GET, &format!("{DEPLOYMENTS}{query}"), &token, None).await.body;
        assert_eq!(list.as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn a_commit_whose_checks_failed_is_deployed_only_when_they_are_waived() {
    let place = Place::new().await;
    let checks = place.token(json!({"checks": "write"})).await;
    place.check_run(&checks, json!({"name": "a", "head_sha": place.sha, "conclusion": "failure"})).await;
    place.check_run(&checks, json!({"name": "b", "head_sha": place.sha, "conclusion": "success"})).await;
    let ask = async |more: serde_json::Value| {
        let mut body = json!({"ref": "main"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        place.alice(Method::POST, DEPLOYMENTS, Some(body)).await
    };
    let refused = ask(json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.body["errors"][0]["contexts"], json!([{"context": "a", "state": "failure"}]));
    assert_eq!(ask(json!({"required_contexts": ["c"]})).await.status, StatusCode::CONFLICT);
    assert_eq!(ask(json!({"required_contexts": ["b"]})).await.status, StatusCode::CREATED);
    assert_eq!(ask(json!({"required_contexts": []})).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let place = Place::new().await;
    let large = json!({"ref": "main", "required_contexts": [], "payload": "x".repeat(20_000)});
    for (body, status) in
        [(json!({"ref": "nothing"}), 422), (json!({"ref": "-x"}), 422), (json!({}), 422), (large, 422)]
    {
        assert_eq!(place.alice(Method::POST, DEPLOYMENTS, Some(body.clone())).await.status, status, "{body}");
    }
    let nothing = place.alice(Method::GET, &format!("{DEPLOYMENTS}/5"), None).await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
    let foreign = place
        .ask(Method::POST, "/repos/alice/hello/deployments", &place.push_token("bob"), Some(json!({"ref": "main"})))
        .await;
    assert_eq!(foreign.status, StatusCode::UNAUTHORIZED);
}
