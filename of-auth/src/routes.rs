//! Every address that is served, and what all answers have in common.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use http::{HeaderMap, StatusCode};
use sdk::call::CallId;
use session::Jwks;
use session::protocol::{JWKS_PATH, NOTICES_PATH, QUESTION_PATH};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use crate::api;
use crate::app::{App, Shared};
use crate::audit;
use crate::limit::Client;
use crate::pages::{self, account, device, host, login, tokens};
use crate::question;
use crate::refusal::Refusal;

/// The longest body of any request, in bytes: forms and questions.
const MAX_BODY: usize = 64 * 1024;
/// How long an answer may take to begin; a provider may take most of it.
const TIMEOUT: Duration = Duration::from_secs(40);

/// All routes. Of these, the router lets outsiders reach what is for people and command lines, never `/q/` and
/// `/internal/`, which are signed besides.
pub(crate) fn routes(app: Arc<App>) -> Router {
    let at_hosts = Router::new()
        .route("/.ofc/login", get(host::login))
        .route("/.ofc/session", get(host::session))
        .route("/.ofc/logout", get(host::ask_logout).post(host::logout));
    let at_auth = Router::new()
        .route("/", get(account::show))
        .route("/login", get(login::choose))
        .route("/login/{provider}", get(login::at_provider))
        .route("/oauth2/authorized", get(login::authorized))
        .route("/logout", get(host::ask_logout_here).post(account::logout))
        .route("/tokens", get(tokens::show).post(tokens::create))
        .route("/tokens/revoke", post(tokens::revoke))
        .route("/device", get(device::show).post(device::decide));
    let for_programs = Router::new()
        .route("/api/me", get(api::me))
        .route("/api/tokens", get(api::tokens::list).post(api::tokens::create))
        .route("/api/tokens/{id}", delete(api::tokens::revoke))
        .route("/api/device", post(api::device::begin))
        .route("/api/device/token", post(api::device::token))
        .route("/api/sessions/revoke", post(api::operator::revoke))
        .route("/api/keys/rotate", post(api::operator::rotate));
    let for_the_router = Router::new()
        .merge(Router::new().route(QUESTION_PATH, post(question::ask)).with_state(Shared(app.clone())))
        .route(NOTICES_PATH, get(crate::notices::stream))
        .route(JWKS_PATH, get(keys))
        .route("/healthz", get(healthy));
    Router::new()
        .merge(at_hosts)
        .merge(at_auth)
        .merge(for_programs)
        .merge(for_the_router)
        .fallback(async || Refusal::NotFound)
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(MAX_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, TIMEOUT))
        .layer(middleware::from_fn(pages::headers))
        .layer(middleware::from_fn(log))
        .with_state(app)
}

async fn keys(State(app): State<Arc<App>>) -> Json<Jwks> {
    Json(app.keys.current().public.clone())
}

/// Healthy is who can read the sessions.
async fn healthy(State(app): State<Arc<App>>) -> Response {
    match app.store.revoked(u64::MAX >> 1).await {
        Ok(_) => "OK\n".into_response(),
        Err(error) => Refusal::from(error).into_response(),
    }
}

/// A line per request. Queries stay out: they hold tickets and codes.
async fn log(headers: HeaderMap, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (call_id, client) = (CallId::from_headers(&headers), Client::of(&headers));
    let response = audit::under(call_id.clone(), next.run(request)).await;
    let (status, seconds) = (response.status().as_u16(), began.elapsed().as_secs_f64());
    tracing::debug!(%method, path, status, seconds, %client, %call_id, "request");
    response
}
