//! Statuses against the whole function, with a GitHub that keeps check runs.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use sdk::fake_gateway::{FakeGateway, PAYLOAD_SECRET};
use sdk::status::{State as Progress, Status};
use serde_json::{Value, json};
use tower::ServiceExt;

const SHA: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";

#[derive(Clone, Default)]
struct FakeGithub {
    runs: Arc<Mutex<Vec<Value>>>,
    calls: Arc<Mutex<Vec<String>>>,
}

#[derive(serde::Deserialize)]
struct Search {
    check_name: String,
}

impl FakeGithub {
    #[expect(clippy::unwrap_used, reason = "test helper")]
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v3/", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/api/v3/repos/alice/hello/commits/{sha}/check-runs", get(Self::find))
            .route("/api/v3/repos/alice/hello/check-runs", post(Self::make))
            .route("/api/v3/repos/alice/hello/check-runs/{id}", patch(Self::update))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    fn admit(&self, call: &str, headers: &HeaderMap) -> Result<(), StatusCode> {
        self.calls.lock().unwrap().push(call.to_owned());
        let right = headers.get("authorization").is_some_and(|value| value == "Bearer token-of-tests");
        if right { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    async fn find(
        State(github): State<Self>,
        Path(sha): Path<String>,
        Query(search): Query<Search>,
        headers: HeaderMap,
    ) -> Result<Json<Value>, StatusCode> {
        github.admit("find", &headers)?;
        let runs = github.runs.lock().unwrap();
        let found = |run: &&Value| run["head_sha"] == *sha && run["name"] == *search.check_name;
        let found: Vec<_> = runs.iter().filter(found).cloned().collect();
        Ok(Json(json!({"total_count": found.len(), "check_runs": found})))
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    async fn make(
        State(github): State<Self>,
        headers: HeaderMap,
        Json(mut run): Json<Value>,
    ) -> Result<(StatusCode, Json<Value>), StatusCode> {
        github.admit("make", &headers)?;
        let mut runs = github.runs.lock().unwrap();
        run["id"] = json!(runs.len() + 1);
        runs.push(run.clone());
        Ok((StatusCode::CREATED, Json(run)))
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    async fn update(
        State(github): State<Self>,
        Path(id): Path<usize>,
        headers: HeaderMap,
        Json(change): Json<Value>,
    ) -> Result<Json<Value>, StatusCode> {
        github.admit("update", &headers)?;
        let mut runs = github.runs.lock().unwrap();
        let run = runs.iter_mut().find(|run| run["id"] == id);
        let run = run.ok_or(StatusCode::NOT_FOUND)?;
        for (key, value) in change.as_object().unwrap() {
            run[key] = value.clone();
        }
        Ok(Json(run.clone()))
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    fn runs(&self) -> Vec<Value> {
        self.runs.lock().unwrap().clone()
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn status(context: &str, state: Progress, title: &str) -> Status {
    Status {
        scm: sdk::event::Scm::Github,
        repo_id: 9,
        branch: "main".to_owned(),
        html_url: "http://git.localhost/alice/hello".to_owned(),
        host: "git.localhost".to_owned(),
        owner: "alice".parse().unwrap(),
        repo: "hello".parse().unwrap(),
        sha: SHA.parse().unwrap(),
        installation: 0,
        context: context.to_owned(),
        state,
        title: title.to_owned(),
        log: String::new(),
        url: None,
        annotations: Vec::new(),
        functions: Vec::new(),
    }
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn function(api: &str) -> Router {
    let vars = [("github_url", "http://git.localhost:8000"), ("github_api_url", api)];
    let secrets = [("payload-secret", PAYLOAD_SECRET), ("github-token", "token-of-tests")];
    github_status::router(&sdk::Env::from_map(vars, secrets)).unwrap()
}

#[expect(clippy::unwrap_used, reason = "test helper")]
async fn send(router: &Router, status: &Status) -> (StatusCode, String) {
    let request = FakeGateway::start().await.signed("github-status", status, "call-1");
    let response = router.clone().oneshot(request).await.unwrap();
    let code = response.status();
    let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (code, String::from_utf8(text.to_vec()).unwrap())
}

#[tokio::test]
async fn each_context_of_a_commit_is_one_check_run() {
    let github = FakeGithub::default();
    let router = function(&github.start().await);
    let reported = (StatusCode::OK, "reported\n".to_owned());
    assert_eq!(send(&router, &status("greet", Progress::Queued, "queued")).await, reported);
    assert_eq!(send(&router, &status("stack-deploy", Progress::Queued, "queued")).await, reported);
    assert_eq!(send(&router, &status("greet", Progress::InProgress, "building")).await, reported);
    let live = status("greet", Progress::Success, "live at http://alice.localhost:8000/greet")
        .with_url("http://alice.localhost:8000/greet");
    assert_eq!(send(&router, &live).await, reported);
    assert_eq!(github.calls(), ["find", "make", "find", "make", "update", "update"]);
    let runs = github.runs();
    assert_eq!(runs.len(), 2);
    assert_eq!(
        runs[0],
        json!({
            "id": 1,
            "name": "greet",
            "head_sha": SHA,
            "status": "completed",
            "conclusion": "success",
            "details_url": "http://alice.localhost:8000/greet",
            "output": {
                "title": "live at http://alice.localhost:8000/greet",
                "summary": "[live at http://alice.localhost:8000/greet](<http://alice.localhost:8000/greet>)",
            },
        })
    );
    assert_eq!((&runs[1]["status"], &runs[1]["name"]), (&json!("queued"), &json!("stack-deploy")));
}

#[tokio::test]
async fn after_a_restart_the_run_is_found_again() {
    let github = FakeGithub::default();
    let api = github.start().await;
    send(&function(&api), &status("greet", Progress::InProgress, "building")).await;
    send(&function(&api), &status("greet", Progress::Failure, "failed").with_log("line\nboom\n")).await;
    assert_eq!(github.calls(), ["find", "make", "find", "update"]);
    let runs = github.runs();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0]["conclusion"], "failure");
    assert_eq!(runs[0]["output"]["text"], "```\nline\nboom\n```");
}

#[tokio::test]
async fn two_reports_at_once_make_one_run() {
    let github = FakeGithub::default();
    let router = function(&github.start().await);
    let (one, two) = (status("greet", Progress::Queued, "a"), status("greet", Progress::InProgress, "b"));
    tokio::join!(send(&router, &one), send(&router, &two));
    assert_eq!(github.runs().len(), 1);
}

#[tokio::test]
async fn a_run_that_was_deleted_is_made_anew() {
    let github = FakeGithub::default();
    let router = function(&github.start().await);
    send(&router, &status("greet", Progress::Queued, "queued")).await;
    github.runs.lock().unwrap().clear();
    assert_eq!(send(&router, &status("greet", Progress::Neutral, "superseded")).await.0, StatusCode::OK);
    assert_eq!(github.runs()[0]["conclusion"], "neutral");
}

#[tokio::test]
async fn what_github_does_not_take_is_said_without_its_words() {
    let (code, text) = send(&function("http://127.0.0.1:1/"), &status("greet", Progress::Queued, "queued")).await;
    assert_eq!((code, text.as_str()), (StatusCode::BAD_GATEWAY, "the status could not be reported\n"));
    let github = FakeGithub::default();
    let api = github.start().await.replace("v3", "v2");
    assert_eq!(send(&function(&api), &status("greet", Progress::Queued, "queued")).await.0, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn a_status_of_another_host_is_not_passed_on() {
    let github = FakeGithub::default();
    let router = function(&github.start().await);
    let foreign = Status { host: "evil.example".to_owned(), ..status("greet", Progress::Queued, "queued") };
    assert_eq!(send(&router, &foreign).await, (StatusCode::OK, "logged\n".to_owned()));
    assert!(github.calls().is_empty());
}

#[tokio::test]
async fn without_configuration_a_status_is_logged_only() {
    let env = sdk::Env::from_map([("a", "b")], [("payload-secret", PAYLOAD_SECRET)]);
    let router = github_status::router(&env).unwrap();
    let foreign = Status { host: "github.com".to_owned(), ..status("greet", Progress::Queued, "queued") };
    assert_eq!(send(&router, &foreign).await, (StatusCode::OK, "logged\n".to_owned()));
}

#[tokio::test]
async fn an_unsigned_status_is_refused() {
    let github = FakeGithub::default();
    let body = serde_json::to_string(&status("greet", Progress::Success, "forged")).unwrap();
    let router = function(&github.start().await);
    let unsigned = http::Request::post("/").body(body).unwrap();
    assert_eq!(router.oneshot(unsigned).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert!(github.calls().is_empty());
}

#[test]
fn half_a_configuration_stops_the_start() {
    let no_token = sdk::Env::from_map([("github_api_url", "https://api.github.com")], [("payload-secret", "x")]);
    assert_eq!(github_status::router(&no_token).unwrap_err().problems()[0].name, "github-token");
    let no_address = sdk::Env::from_map([("a", "b")], [("payload-secret", "x"), ("github-token", "t")]);
    assert_eq!(github_status::router(&no_address).unwrap_err().problems()[0].name, "github_api_url");
}
