//! The App comes to repositories and goes from them.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::place::Place;
use crate::support::remote_lines;

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|repo| repo["full_name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_owner_takes_the_app_away_from_one_repository_and_gives_it_back() {
    let place = Place::new().await;
    place.push("alice/other", &["main"]).await;
    let token = place.token(json!({"contents": "read"})).await;
    let gone = place.alice(Method::DELETE, "/user/installations/1/repositories/1", None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let told = place.webhook("installation_repositories").await;
    assert_eq!((&told["action"], &told["installation"]["id"]), (&"removed".into(), &1.into()));
    assert_eq!(
        (names(&told["repositories_removed"]), names(&told["repositories_added"])),
        (vec!["alice/hello"], vec![])
    );
    assert_eq!((&told["repository_selection"], &told["sender"]["login"]), (&"selected".into(), &"alice".into()));
    let see = async |path: &str| place.ask(Method::GET, path, &token, None).await.status;
    assert_eq!(
        (see("/repos/alice/hello").await, see("/repos/alice/other").await),
        (StatusCode::NOT_FOUND, StatusCode::OK)
    );
    assert_eq!(place.app(Method::GET, "/repos/alice/hello/installation", None).await.status, StatusCode::NOT_FOUND);

    let before = place.platform.webhooks().len();
    place.work.commit("stack.yml", "two").await;
    let pushed = place.work.push(&place.host.url("alice", "alice/hello"), &["main"]).await;
    assert!(pushed.status.success());
    assert!(remote_lines(&pushed).join(" ").contains("`ofc repo install alice/hello`"), "{:?}", remote_lines(&pushed));
    let back = place.alice(Method::PUT, "/user/installations/1/repositories/1", None).await;
    assert_eq!(back.status, StatusCode::NO_CONTENT);
    let webhooks = place.platform.wait_for(before + 1).await;
    assert_eq!(webhooks.len(), before + 1, "nobody was told of the push");
    assert_eq!(
        (&webhooks[before].body["action"], names(&webhooks[before].body["repositories_added"])),
        (&"added".into(), vec!["alice/hello"])
    );
    assert_eq!(see("/repos/alice/hello").await, StatusCode::OK);
    let twice = place.alice(Method::PUT, "/user/installations/1/repositories/1", None).await;
    assert_eq!((twice.status, place.platform.webhooks().len()), (StatusCode::NO_CONTENT, before + 1));
}

#[tokio::test]
async fn the_app_leaves_an_account_and_comes_back_to_one_repository() {
    let place = Place::new().await;
    place.push("alice/other", &["main"]).await;
    place.push("bob/hello", &["main"]).await;
    let token = place.token(json!({"contents": "read"})).await;
    assert_eq!(place.app(Method::DELETE, "/app/installations/1", None).await.status, StatusCode::NO_CONTENT);
    let told = place.webhook("installation").await;
    assert_eq!(
        (&told["action"], names(&told["repositories"])),
        (&"deleted".into(), vec!["alice/hello", "alice/other"])
    );
    assert_eq!(place.ask(Method::GET, "/repos/alice/hello", &token, None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        place.ask(Method::GET, "/installation/repositories", &token, None).await.status,
        StatusCode::UNAUTHORIZED
    );
    let all = place.app(Method::GET, "/app/installations", None).await.body;
    assert_eq!((all.as_array().unwrap().len(), &all[0]["account"]["login"]), (1, &"bob".into()));
    assert_eq!(place.app(Method::DELETE, "/app/installations/1", None).await.status, StatusCode::NOT_FOUND);

    let before = place.platform.webhooks().len();
    assert_eq!(
        place.alice(Method::PUT, "/user/installations/1/repositories/1", None).await.status,
        StatusCode::NO_CONTENT
    );
    let created = place.platform.wait_for(before + 1).await.remove(before).body;
    assert_eq!((&created["action"], names(&created["repositories"])), (&"created".into(), vec!["alice/hello"]));
    assert_eq!(place.app(Method::GET, "/repos/alice/other/installation", None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_the_owner_decides_where_the_app_is() {
    let place = Place::new().await;
    place.push("bob/hello", &["main"]).await;
    let token = place.token(json!({"contents": "read"})).await;
    for method in [Method::PUT, Method::DELETE] {
        let ask = async |path: &str, token: &str| place.ask(method.clone(), path, token, None).await.status;
        let own = "/user/installations/1/repositories/1";
        assert_eq!(ask(own, &place.push_token("bob")).await, StatusCode::UNAUTHORIZED);
        assert_eq!(ask(own, &token).await, StatusCode::FORBIDDEN);
        let alice = place.push_token("alice");
        assert_eq!(ask("/user/installations/1/repositories/2", &alice).await, StatusCode::NOT_FOUND, "it is bob's");
        assert_eq!(ask("/user/installations/2/repositories/2", &alice).await, StatusCode::UNAUTHORIZED);
        assert_eq!(ask("/user/installations/9/repositories/1", &alice).await, StatusCode::UNAUTHORIZED);
    }
}
