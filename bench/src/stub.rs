//! A gateway and a builder that do nothing but keep count: what is left is the pipeline's own time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use sdk::gateway::{FunctionDeployment, FunctionStatus};
use sdk::status::{STACK_CONTEXT, Status};
use tower::ServiceExt;

/// The largest body that the stubs take, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// What happened since the last [`Stub::reset`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// When the webhook arrived.
    pub(crate) webhook: Option<Instant>,
    /// When the host had taken the first status: from then on it can be seen.
    pub(crate) pending: Option<Instant>,
    /// When the last function was deployed.
    pub(crate) deployed: Option<Instant>,
    /// When the garbage collection was called for: all functions are settled by then.
    pub(crate) settled: Option<Instant>,
    /// Deployments.
    pub(crate) deployments: usize,
    /// Builds.
    pub(crate) builds: usize,
}

/// The stubs' shared state. Cloning is cheap.
#[derive(Clone, Default)]
pub(crate) struct Stub(Arc<Inner>);

#[derive(Default)]
struct Inner {
    seen: Mutex<Seen>,
    deployed: Mutex<BTreeMap<String, FunctionStatus>>,
    functions: Mutex<HashMap<&'static str, Router>>,
    /// A host in the place of the real one, which takes so long for each status.
    status_time: Mutex<Option<Duration>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stub {
    /// Puts a function behind the gateway.
    pub(crate) fn mount(&self, name: &'static str, router: Router) {
        lock(&self.0.functions).insert(name, router);
    }

    /// What happened since the last reset.
    pub(crate) fn seen(&self) -> Seen {
        lock(&self.0.seen).clone()
    }

    /// Forgets what happened; what is deployed stays.
    pub(crate) fn reset(&self) {
        *lock(&self.0.seen) = Seen::default();
    }

    /// Puts a host in the place of the real one that takes so long for each status, and costs nothing.
    pub(crate) fn take_for_statuses(&self, time: Duration) {
        *lock(&self.0.status_time) = Some(time);
    }

    /// The stack's last status is passed on even so: whoever pushed waits for it.
    async fn status(&self, time: Duration, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let Ok(body) = to_bytes(body, MAX_BODY).await else { return StatusCode::BAD_REQUEST.into_response() };
        tokio::time::sleep(time).await;
        let last = |status: Status| status.context == STACK_CONTEXT && status.state.is_final();
        if serde_json::from_slice(&body).is_ok_and(last) {
            return self.dispatch("github-status", Request::from_parts(head, Body::from(body))).await;
        }
        StatusCode::OK.into_response()
    }

    /// Forgets what is deployed.
    pub(crate) fn undeploy(&self) {
        lock(&self.0.deployed).clear();
    }

    /// The gateway's routes.
    pub(crate) fn gateway(&self) -> Router {
        Router::new()
            .route("/function/{name}", post(call))
            .route("/async-function/{name}", post(enqueue))
            .route("/system/functions", get(list).put(deploy).post(deploy).delete(|| async { StatusCode::ACCEPTED }))
            .route("/system/function/{name}", get(describe))
            .with_state(self.clone())
    }

    /// The builder's routes.
    pub(crate) fn builder(&self) -> Router {
        Router::new().route("/build", post(build)).with_state(self.clone())
    }

    async fn dispatch(&self, name: &str, request: Request) -> Response {
        let Some(router) = lock(&self.0.functions).get(name).cloned() else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let (mut head, body) = request.into_parts();
        head.uri = axum::http::Uri::from_static("/");
        router.oneshot(Request::from_parts(head, body)).await.into_response()
    }
}

async fn call(State(stub): State<Stub>, Path(name): Path<String>, request: Request) -> Response {
    match name.as_str() {
        "github-event" => {
            lock(&stub.0.seen).webhook.get_or_insert_with(Instant::now);
        }
        "garbage-collect" => lock(&stub.0.seen).settled = Some(Instant::now()),
        "github-status" => {
            let time = *lock(&stub.0.status_time);
            if let Some(time) = time {
                return stub.status(time, request).await;
            }
        }
        _ => {}
    }
    let answer = stub.dispatch(&name, request).await;
    if name == "github-status" && answer.status().is_success() {
        lock(&stub.0.seen).pending.get_or_insert_with(Instant::now);
    }
    answer
}

/// The queue hands a message on at once, and no more.
async fn enqueue(State(stub): State<Stub>, Path(name): Path<String>, request: Request) -> StatusCode {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else { return StatusCode::BAD_REQUEST };
    tokio::spawn(async move {
        let answer = stub.dispatch(&name, Request::from_parts(head, Body::from(body))).await;
        if !answer.status().is_success() {
            let status = answer.status();
            let text = to_bytes(answer.into_body(), MAX_BODY).await.unwrap_or_default();
            eprintln!("{name} answered {status}: {}", String::from_utf8_lossy(&text));
        }
    });
    StatusCode::ACCEPTED
}

async fn list(State(stub): State<Stub>) -> Json<Vec<FunctionStatus>> {
    Json(lock(&stub.0.deployed).values().cloned().collect())
}

async fn describe(State(stub): State<Stub>, Path(name): Path<String>) -> Response {
    match lock(&stub.0.deployed).get(&name) {
        Some(function) => Json(function).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn deploy(State(stub): State<Stub>, Json(wanted): Json<FunctionDeployment>) -> StatusCode {
    let function = FunctionStatus {
        name: wanted.service.clone(),
        image: wanted.image,
        labels: wanted.labels,
        annotations: wanted.annotations,
        replicas: 1,
        available_replicas: 1,
        ..FunctionStatus::default()
    };
    lock(&stub.0.deployed).insert(wanted.service, function);
    let mut seen = lock(&stub.0.seen);
    seen.deployed = Some(Instant::now());
    seen.deployments += 1;
    StatusCode::ACCEPTED
}

/// Takes the context, and answers as if the image had been there.
async fn build(State(stub): State<Stub>, _: HeaderMap, request: Request) -> Response {
    if to_bytes(request.into_body(), MAX_BODY).await.is_err() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let number = {
        let mut seen = lock(&stub.0.seen);
        seen.builds += 1;
        seen.builds
    };
    let digest = format!("sha256:{number:064x}");
    let line = serde_json::json!({"log": ["done"], "image": format!("bench/function@{digest}"), "digest": digest, "status": "success"});
    ([("content-type", "application/x-ndjson")], format!("{line}\n")).into_response()
}
