//! All routes.
//!
//! | path | methods | |
//! |---|---|---|
//! | `/function/NAME[/…]` | any | a synchronous call |
//! | `/async-function/NAME[/…]` | POST | a queued call |
//! | `/async-function/CALL-ID` | DELETE | cancels one; behind basic auth |
//! | `/system/…` | see [`system::routes`] | behind basic auth |
//! | `/healthz`, `/ready` | GET | is it up, has it taken over the engine's containers |
//! | `/openapi.json` | GET | the description of all this |
//! | `/`, `/ui/` | GET | a page for people |
//!
//! Calls are told apart by their prefix before any router is asked, because they are nearly all of the traffic.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::delete;
use axum::{Router, http::Request};
use http::{HeaderValue, Method, StatusCode};
use tower::ServiceExt;
use upstream::ClientBody;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::Access;
use crate::answer::{not_one_of, text};
use crate::app::App;
use crate::inside::Caller;
use crate::metrics;
use crate::reply::{Reply, own};
use crate::system::{self, cancel};
use crate::{auth, enqueue, front, invoke, openapi};

/// Before the name of a function in a synchronous call.
const CALL: &str = "/function/";
/// What a function may be called with.
const CALL_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Whether a request is a synchronous call.
pub(crate) fn is_call<B>(request: &Request<B>) -> bool {
    request.uri().path().starts_with(CALL)
}

/// Answers one request.
pub(crate) async fn dispatch(
    app: &Arc<App>,
    management: &Router,
    request: Box<Request<ClientBody>>,
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
    request: Box<Request<ClientBody>>,
    peer: &HeaderValue,
    caller: &Caller,
) -> Response<Reply> {
    // What is rare is on the heap: its room would be moved about with every call.
    let uri = request.uri().clone();
    if let Some(refusal) = caller.refusal(app, uri.path()).await {
        return own(refusal);
    }
    if let Some(target) = uri.path().strip_prefix(CALL) {
        if !is_possible(request.method()) {
            return own(not_one_of(CALL_METHODS));
        }
        return invoke::sync(app, target, request, peer).await;
    }
    if let Some(target) = uri.path().strip_prefix("/async-function/").filter(|_| request.method() != Method::DELETE) {
        return own(Box::pin(enqueue::enqueue(app, target, *request, peer, caller)).await);
    }
    match Box::pin(management.clone().oneshot(request.map(Body::new))).await {
        Ok(response) => own(response),
        Err(never) => match never {},
    }
}

/// TRACE and CONNECT are for servers themselves, and what else there is no function expects.
fn is_possible(method: &Method) -> bool {
    let all = [Method::GET, Method::POST, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    all.contains(method)
}

/// Everything but the calls themselves.
pub(crate) fn management(app: &Arc<App>) -> Router {
    let (system, _) = system::routes().split_for_parts();
    let (open, _) = open().split_for_parts();
    // Inside the layer: who is not let in learns nothing but that.
    let system = system
        .method_not_allowed_fallback(not_allowed)
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(app), auth::require));
    let calls = Router::new()
        .route("/async-function/{*call_id}", delete(cancel::cancel))
        .layer(from_fn_with_state(Arc::clone(app), auth::require));
    open.method_not_allowed_fallback(not_allowed)
        .nest("/system", system)
        .merge(calls)
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(app), metrics::count))
        .with_state(Arc::clone(app))
}

/// The description of all routes.
pub(crate) fn described() -> OpenApi {
    let mut api = open().nest("/system", system::routes()).into_openapi();
    openapi::complete(&mut api);
    api
}

/// What asks for no credentials.
fn open() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(health))
        .routes(routes!(ready))
        .routes(routes!(openapi::serve))
        .routes(routes!(front::root))
        .routes(routes!(front::page))
}

async fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "there is no such route")
}

/// axum has put the header `Allow` on the answer when it is sent.
async fn not_allowed(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    text(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not possible here; the header Allow says what is"))
}

/// Ask whether the gateway is up.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthcheck",
    tag = "internal",
    responses((status = 200, description = "It is.", body = String, content_type = "text/plain"))
)]
async fn health() -> Response {
    text(StatusCode::OK, "OK")
}

/// Ask whether the functions of before the gateway's start are there.
#[utoipa::path(
    get,
    path = "/ready",
    operation_id = "readiness",
    tag = "internal",
    responses(
        (status = 200, description = "They are.", body = String, content_type = "text/plain"),
        (status = 503, description = "The container engine has not answered yet."),
    )
)]
async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.adopted.initialized() {
        return text(StatusCode::OK, "OK");
    }
    let sentence = "the container engine has not answered yet; only platform functions are served";
    text(StatusCode::SERVICE_UNAVAILABLE, sentence)
}
