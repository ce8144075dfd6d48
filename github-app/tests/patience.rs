//! Rate limits, failures on the way, redirections.

use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::any;
use chrono::Utc;
use github_app::fake_github::{FIXED_TOKEN, FakeGithub, Refusal};
use github_app::{Api, Call, GithubError, Patience};
use http::{Method, StatusCode};
use serde_json::{Value, json};

const LIST: &str = "GET /repos/{owner}/{repo}/commits/{ref}/check-runs";
const MAKE: &str = "POST /repos/{owner}/{repo}/check-runs";

#[expect(clippy::unwrap_used, reason = "test helper")]
fn api(url: &str) -> Api {
    let patience = Patience { pause: Duration::from_millis(1), total: Duration::from_secs(3), ..Patience::default() };
    Api::new(url.parse().unwrap()).with_patience(patience)
}

fn list<'a>() -> Call<'a> {
    Call::new("the list of check runs", Method::GET, ["repos", "alice", "hello", "commits", "abc", "check-runs"])
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn make<'a>() -> Call<'a> {
    let call = Call::new("a new check run", Method::POST, ["repos", "alice", "hello", "check-runs"]);
    call.once().json(&json!({"name": "greet", "head_sha": "abc"})).unwrap()
}

async fn send(api: &Api, call: &Call<'_>, installation: u64) -> Result<Value, GithubError> {
    api.send(call, &FIXED_TOKEN.into(), installation).await?.json()
}

#[tokio::test]
async fn a_short_pause_is_waited_and_the_call_sent_again() {
    let github = FakeGithub::start().await;
    let reset = Utc::now().timestamp();
    let limits = [
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, "slow down").header("retry-after", 1),
        Refusal::new(StatusCode::FORBIDDEN, "API rate limit exceeded")
            .header("x-ratelimit-remaining", 0)
            .header("x-ratelimit-reset", reset),
    ];
    for limit in limits {
        github.refuse_next(MAKE, limit);
        send(&api(github.url()), &make(), 0).await.unwrap();
        assert_eq!(github.calls(), ["POST check-runs", "POST check-runs"]);
    }
    assert_eq!(github.runs().len(), 2, "what GitHub did not take may be sent again, also what makes something");
}

#[tokio::test]
async fn a_long_pause_is_an_error_at_once_for_that_installation_alone() {
    let github = FakeGithub::start().await;
    let api = api(github.url());
    // A secondary limit without a time is a minute.
    github.refuse_next(LIST, Refusal::new(StatusCode::FORBIDDEN, "You have exceeded a secondary rate limit"));
    for _ in 0..2 {
        let error = send(&api, &list(), 5).await.unwrap_err();
        assert!(matches!(error, GithubError::Busy { wait, .. } if wait > Duration::from_secs(50)), "{error}");
        assert!(error.is_worth_a_retry());
    }
    assert_eq!(github.calls(), ["GET check-runs"], "nobody asks again before the time");
    send(&api.clone(), &list(), 6).await.unwrap();
}

#[tokio::test]
async fn a_used_up_limit_is_kept_to_before_it_is_refused() {
    let github = FakeGithub::start().await;
    let api = api(github.url());
    let last = Refusal::new(StatusCode::OK, "the last one of this hour")
        .header("x-ratelimit-remaining", 0)
        .header("x-ratelimit-reset", Utc::now().timestamp() + 1800);
    github.refuse_next(LIST, last);
    send(&api, &list(), 5).await.unwrap();
    assert!(matches!(send(&api, &list(), 5).await, Err(GithubError::Busy { .. })));
    assert_eq!(github.calls(), ["GET check-runs"]);
}

#[tokio::test]
async fn failures_on_the_way_are_tried_again_three_times() {
    let github = FakeGithub::start().await;
    let api = api(github.url());
    for status in [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE] {
        github.refuse_next(LIST, Refusal::new(status, "a proxy"));
    }
    send(&api, &list(), 0).await.unwrap();
    assert_eq!(github.calls().len(), 3);
    for _ in 0..3 {
        github.refuse_next(LIST, Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "line\none"));
    }
    let error = send(&api, &list(), 0).await.unwrap_err();
    let text = "GitHub answered the list of check runs with 500 Internal Server Error: {\"message\":\"line\\none\"}";
    assert_eq!((error.to_string().as_str(), error.is_worth_a_retry()), (text, true));
    assert_eq!(github.calls().len(), 3);
}

#[tokio::test]
async fn what_may_have_been_made_is_not_made_again() {
    let github = FakeGithub::start().await;
    github.refuse_next(MAKE, Refusal::new(StatusCode::BAD_GATEWAY, "the answer was lost").after_the_work());
    let error = send(&api(github.url()), &make(), 0).await.unwrap_err();
    assert!(error.is_worth_a_retry());
    assert_eq!((github.calls().len(), github.runs().len()), (1, 1));
}

#[tokio::test]
async fn a_refusal_is_final() {
    let github = FakeGithub::start().await;
    let api = api(github.url());
    for status in
        [StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY]
    {
        github.refuse_next(LIST, Refusal::new(status, "no"));
        let error = send(&api, &list(), 0).await.unwrap_err();
        assert_eq!((error.status(), error.is_worth_a_retry()), (Some(status), false));
    }
    assert_eq!(github.calls().len(), 4);
}

#[tokio::test]
async fn who_is_not_there_is_said_without_an_address() {
    let error = send(&api("http://127.0.0.1:1/api/v3"), &make(), 0).await.unwrap_err();
    assert!(error.is_worth_a_retry());
    let text = sdk::failure::chain(&error);
    assert!(text.starts_with("GitHub does not answer a new check run: ") && !text.contains("/api/v3"), "{text}");
}

/// A host with one answer for everything below `/api/v3/repos/old`, and an echo of paths elsewhere.
#[expect(clippy::unwrap_used, reason = "test helper")]
async fn moving(location: impl Fn(&str) -> String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let to = location(&base);
    let moved = move || async move { (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response() };
    let echo = |method: Method, uri: http::Uri| async move {
        axum::Json(json!({"at": uri.path(), "method": method.as_str()}))
    };
    let routes = Router::new().route("/api/v3/repos/old/check-runs", any(moved)).fallback(echo);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("{base}/api/v3")
}

#[tokio::test]
async fn a_renamed_repository_is_followed_and_a_strange_host_is_not() {
    let call = || Call::new("a new check run", Method::POST, ["repos", "old", "check-runs"]).once();
    let api_at = moving(|base| format!("{base}/api/v3/repositories/9/check-runs")).await;
    let answer = send(&api(&api_at), &call(), 0).await.unwrap();
    assert_eq!(answer, json!({"at": "/api/v3/repositories/9/check-runs", "method": "POST"}));
    let elsewhere: [fn(&str) -> String; 4] = [
        |_| "http://127.0.0.2:1/api/v3/repos/new/check-runs".to_owned(),
        |base| format!("{base}/elsewhere"),
        |base| format!("{base}/api/v3evil/x"),
        |_| String::new(),
    ];
    for location in elsewhere {
        let error = send(&api(&moving(location).await), &call(), 0).await.unwrap_err();
        assert!(matches!(error, GithubError::Elsewhere { .. }), "{error}");
        assert!(!error.is_worth_a_retry());
    }
    let round = moving(|base| format!("{base}/api/v3/repos/old/check-runs")).await;
    assert!(matches!(send(&api(&round), &call(), 0).await, Err(GithubError::Elsewhere { .. })));
}

#[tokio::test]
async fn an_endless_answer_is_cut_and_a_silent_host_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let huge = || async { "x".repeat(9 << 20) };
    let silent = || async { std::future::pending::<()>().await };
    let routes = Router::new().route("/huge", any(huge)).route("/silent", any(silent));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let patience = Patience { request: Duration::from_millis(200), attempts: 1, ..Patience::default() };
    let api = api(&base);
    let error = send(&api, &Call::new("a test", Method::GET, ["huge"]), 0).await.unwrap_err();
    assert!(matches!(error, GithubError::Malformed { .. }), "{error}");
    let error = send(&api.with_patience(patience), &Call::new("a test", Method::GET, ["silent"]), 0).await.unwrap_err();
    assert!(matches!(error, GithubError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn names_cannot_leave_their_place_in_the_path() {
    let api_at = moving(|base| base.to_owned()).await;
    let call = Call::new("a test", Method::GET, ["repos", "a/../../b", "..", "c?d#e"]).query("q", "1&x=2");
    let answer = send(&api(&api_at), &call, 0).await.unwrap();
    assert_eq!(answer["at"], "/api/v3/repos/a%2F..%2F..%2Fb/c%3Fd%23e");
}
