//! All routes.
//!
//! | path | methods | |
//! |---|---|---|
//! | `/function/NAME[/…]` | any | a synchronous call |
//! | `/async-function/NAME[/…]` | POST | a queued call |
//! | `/async-function/CALL-ID` | DELETE | cancels one; behind basic auth |
//! | `/system/…` | see [`management`] | behind basic auth |
//! | `/healthz`, `/ready` | GET | is it up, has it taken over the engine's containers |
//!
//! Calls are told apart by their prefix before any router is asked, because they are nearly all of the traffic.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{delete, get, post};
use axum::{Router, http::Request};
use http::{HeaderValue, Method, StatusCode};
use hyper::body::Incoming;
use tower::ServiceExt;

use crate::access::Access;
use crate::answer::text;
use crate::app::App;
use crate::inside::Caller;
use crate::metrics;
use crate::reply::{Reply, own};
use crate::system::{cancel, dead, functions, info, logs, namespaces, secrets};
use crate::{auth, enqueue, invoke};

/// The largest body of a management request: a secret of 1 MiB as base64, and its frame.
const MAX_MANAGEMENT_BODY: usize = 2 << 20;

/// Answers one request.
pub(crate) async fn dispatch(
    app: &Arc<App>,
    management: &Router,
    request: Request<Incoming>,
    peer: &HeaderValue,
    caller: &Caller,
) -> Response<Reply> {
    if !app.config.access_log {
        return answer(app, management, request, peer, caller).await;
    }
    let access = Access::begin(&request, &app.config.namespace, peer);
    access.watch(answer(app, management, request, peer, caller).await)
}

async fn answer(
    app: &Arc<App>,
    management: &Router,
    request: Request<Incoming>,
    peer: &HeaderValue,
    caller: &Caller,
) -> Response<Reply> {
    let uri = request.uri().clone();
    if let Some(refusal) = caller.refusal(app, uri.path()).await {
        return own(refusal);
    }
    if let Some(target) = uri.path().strip_prefix("/function/") {
        return invoke::sync(app, target, request, peer).await;
    }
    if let Some(target) = uri.path().strip_prefix("/async-function/").filter(|_| request.method() != Method::DELETE) {
        return own(enqueue::enqueue(app, target, request, peer, caller).await);
    }
    match management.clone().oneshot(request.map(Body::new)).await {
        Ok(response) => own(response),
        Err(never) => match never {},
    }
}

/// Everything but the calls themselves.
pub(crate) fn management(app: &Arc<App>) -> Router {
    let system = Router::new()
        .route(
            "/functions",
            get(functions::list).post(functions::create).put(functions::update).delete(functions::delete),
        )
        .route("/function/{name}", get(functions::show))
        .route("/scale-function/{name}", post(functions::scale))
        .route("/secrets", get(secrets::list).post(secrets::create).put(secrets::update).delete(secrets::delete))
        .route("/logs", get(logs::read))
        .route("/info", get(info::info))
        .route("/namespaces", get(namespaces::list))
        .route(
            "/namespace/{name}",
            get(namespaces::show).post(namespaces::create).put(namespaces::update).delete(namespaces::delete),
        )
        .route("/async/dead", get(dead::list).delete(dead::delete_several))
        .route("/async/dead/redrive", post(dead::redrive_several))
        .route("/async/dead/{id}", get(dead::show).delete(dead::delete))
        .route("/async/dead/{id}/redrive", post(dead::redrive))
        // Inside the layer: who is not let in learns not even which routes there are.
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(app), auth::require));
    let calls = Router::new()
        .route("/async-function/{*call_id}", delete(cancel::cancel))
        .layer(from_fn_with_state(Arc::clone(app), auth::require));
    Router::new()
        .nest("/system", system)
        .merge(calls)
        .route("/healthz", get(|| async { text(StatusCode::OK, "OK") }))
        .route("/ready", get(ready))
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(MAX_MANAGEMENT_BODY))
        .layer(from_fn_with_state(Arc::clone(app), metrics::count))
        .with_state(Arc::clone(app))
}

async fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "there is no such route")
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.adopted.initialized() {
        return text(StatusCode::OK, "OK");
    }
    let sentence = "the container engine has not answered yet; only platform functions are served";
    text(StatusCode::SERVICE_UNAVAILABLE, sentence)
}
