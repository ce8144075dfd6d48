//! Repositories are seen, renamed and removed.

use http::{Method, StatusCode};
use serde_json::json;

use crate::place::Place;

#[tokio::test]
async fn an_owner_removes_a_repository_for_good() {
    let place = Place::new().await;
    let token = place.token(json!({"checks": "write"})).await;
    place.check_run(&token, json!({"name": "a", "head_sha": place.sha})).await;
    let shown = place.alice(Method::GET, "/repos/alice/HELLO", None).await.body;
    assert_eq!(
        (&shown["full_name"], &shown["default_branch"], &shown["private"]),
        (&"alice/hello".into(), &"main".into(), &true.into())
    );
    assert_eq!(place.ask(Method::DELETE, "/repos/alice/hello", &token, None).await.status, StatusCode::FORBIDDEN);
    assert_eq!(place.alice(Method::DELETE, "/repos/alice/hello", None).await.status, StatusCode::NO_CONTENT);
    let told = place.webhook("repository").await;
    assert_eq!((&told["action"], &told["repository"]["id"]), (&"deleted".into(), &shown["id"]));
    assert_eq!(told["repository"]["owner"]["id"], 1);
    assert_eq!(place.alice(Method::GET, "/repos/alice/hello", None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(place.alice(Method::DELETE, "/repos/alice/hello", None).await.status, StatusCode::NOT_FOUND);
    let listed = place.work.run(&["ls-remote", &place.host.url("alice", "alice/hello")]).await;
    assert!(!listed.status.success());

    place.push("alice/hello", &["main"]).await;
    let again = place.alice(Method::GET, "/repos/alice/hello", None).await.body;
    assert_ne!(again["id"], shown["id"], "another repository of the same name");
    let runs = place.alice(Method::GET, "/repos/alice/hello/commits/main/check-runs", None).await.body;
    assert_eq!(runs["total_count"], 0);
}

#[tokio::test]
async fn a_renamed_repository_keeps_its_number_and_all_that_was_said() {
    let place = Place::new().await;
    place.push("alice/taken", &["main"]).await;
    let token = place.token(json!({"checks": "write"})).await;
    place.check_run(&token, json!({"name": "a", "head_sha": place.sha})).await;
    let rename = async |from: &str, to: &str| {
        place.alice(Method::PATCH, &format!("/repos/alice/{from}"), Some(json!({"name": to}))).await
    };
    let taken = rename("hello", "Taken").await;
    assert_eq!(taken.body["message"], "name already exists on this account");
    assert_eq!(rename("hello", "../x").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(rename("hello", "hello").await.status, StatusCode::OK);
    let renamed = rename("hello", "world").await;
    assert_eq!(
        (renamed.status, &renamed.body["full_name"], &renamed.body["id"]),
        (StatusCode::OK, &"alice/world".into(), &1.into())
    );
    let told = place.webhook("repository").await;
    assert_eq!((&told["action"], &told["changes"]["repository"]["name"]["from"]), (&"renamed".into(), &"hello".into()));
    assert_eq!(told["repository"]["name"], "world");
    let runs = place.alice(Method::GET, "/repos/alice/world/commits/main/check-runs", None).await.body;
    assert_eq!(runs["total_count"], 1);
    assert_eq!(place.alice(Method::GET, "/repos/alice/hello", None).await.status, StatusCode::NOT_FOUND);
    place.work.commit("stack.yml", "two").await;
    place.push("alice/world", &["main"]).await;
    assert_eq!(place.platform.webhooks().last().unwrap().body["repository"]["id"], 1);
    assert_eq!(rename("world", "World").await.body["name"], "World", "case is only shown");
}
