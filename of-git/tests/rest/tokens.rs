//! Who the App is, and the tokens that it gets.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::place::{APP, Place};
use crate::support::{PLATFORM_TOKEN, stderr};

const TOKENS: &str = "/app/installations/1/access_tokens";

#[tokio::test]
async fn the_app_sees_itself_and_its_installations() {
    let place = Place::new().await;
    let app = place.app(Method::GET, "/app", None).await;
    assert_eq!((&app.body["id"], &app.body["slug"]), (&APP.into(), &"openfaas-cloud".into()));
    assert_eq!(app.body["installations_count"], 1);
    let all = place.app(Method::GET, "/app/installations", None).await;
    assert_eq!((&all.body[0]["id"], &all.body[0]["account"]["login"]), (&1.into(), &"alice".into()));
    assert_eq!(all.body[0]["repository_selection"], "all");
    let one = place.app(Method::GET, "/repos/alice/hello/installation", None).await;
    assert_eq!(one.body, all.body[0]);
    assert_eq!(place.app(Method::GET, "/app/installations/1", None).await.body, all.body[0]);
    for missing in ["/app/installations/2", "/repos/alice/other/installation", "/repos/bob/hello/installation"] {
        assert_eq!(place.app(Method::GET, missing, None).await.status, StatusCode::NOT_FOUND, "{missing}");
    }
}

#[tokio::test]
async fn nobody_else_is_the_app() {
    let place = Place::new().await;
    let stranger = Place::new().await;
    let installation = place.token(json!({"contents": "read"})).await;
    for token in [stranger.jwt(), installation, place.push_token("alice"), PLATFORM_TOKEN.to_owned(), "x".to_owned()] {
        for (method, path) in [(Method::GET, "/app"), (Method::POST, TOKENS), (Method::DELETE, "/app/installations/1")]
        {
            let answer = place.ask(method, path, &token, None).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} with {token}");
            assert!(answer.body["message"].is_string());
        }
    }
    assert_eq!(place.ask(Method::GET, "/repos/alice/hello", &place.jwt(), None).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_is_as_narrow_as_was_asked_for() {
    let place = Place::new().await;
    place.push("alice/other", &["main"]).await;
    let body = json!({"permissions": {"checks": "write"}, "repositories": ["Hello"]});
    let answer = place.app(Method::POST, TOKENS, Some(body)).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.body["permissions"], json!({"checks": "write", "metadata": "read"}));
    assert_eq!(answer.body["repository_selection"], "selected");
    assert_eq!(answer.body["repositories"][0]["full_name"], "alice/hello");
    let expires = chrono::DateTime::parse_from_rfc3339(answer.body["expires_at"].as_str().unwrap()).unwrap();
    let left = (expires.to_utc() - chrono::Utc::now()).num_seconds();
    assert!((3500..=3600).contains(&left), "{left}");
    let token = answer.body["token"].as_str().unwrap();

    let list = place.ask(Method::GET, "/installation/repositories", token, None).await;
    assert_eq!((&list.body["total_count"], &list.body["repositories"][0]["name"]), (&1.into(), &"hello".into()));
    for (path, expected) in [
        ("/repos/alice/hello", 200),
        ("/repos/alice/other", 404),
        ("/repos/bob/hello", 404),
        ("/repos/alice/hello/contents/stack.yml", 403),
        ("/repos/alice/hello/deployments", 403),
        ("/repos/alice/hello/commits/main/check-runs", 200),
        ("/repos/alice/hello/commits/main/status", 403),
    ] {
        assert_eq!(place.ask(Method::GET, path, token, None).await.status, expected, "{path}");
    }
    let read_only = place.token(json!({"checks": "read"})).await;
    let run = json!({"name": "a", "head_sha": place.sha});
    let refused = place.ask(Method::POST, "/repos/alice/hello/check-runs", &read_only, Some(run)).await;
    assert_eq!(refused.body["message"], "Resource not accessible by integration");
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_an_installation_does_not_have_is_in_no_token() {
    let place = Place::new().await;
    place.push("bob/hello", &["main"]).await;
    let wrong: [Value; 6] = [
        json!({"permissions": {"contents": "write"}}),
        json!({"permissions": {"administration": "read"}}),
        json!({"permissions": {"checks": "admin"}}),
        json!({"repository_ids": [2]}),
        json!({"repositories": ["hello", "nothing"]}),
        json!({"repositories": "hello"}),
    ];
    for body in wrong {
        let answer = place.app(Method::POST, TOKENS, Some(body.clone())).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    let unknown = place.app(Method::POST, "/app/installations/9/access_tokens", None).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_token_clones_what_it_may_read_and_pushes_nothing() {
    let place = Place::new().await;
    place.push("bob/hello", &["main"]).await;
    let token = place.token(json!({"contents": "read"})).await.into();
    let checks = place.token(json!({"checks": "write"})).await.into();
    let list = async |path: &str, token| {
        let url = place.host.url_with("x-access-token", token, path);
        place.work.run(&["ls-remote", &url]).await
    };
    let seen = list("alice/hello", &token).await;
    assert!(String::from_utf8_lossy(&seen.stdout).contains(&place.sha), "{}", stderr(&seen));
    assert!(!list("bob/hello", &token).await.status.success());
    assert!(!list("alice/hello", &checks).await.status.success());
    let url = place.host.url_with("x-access-token", &token, "alice/hello");
    let pushed = place.work.push(&url, &["main:other"]).await;
    assert!(!pushed.status.success());
}
