//! The second port: `/metrics`, and `/healthz` for who watches that port.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use prometheus::TEXT_FORMAT;

use super::exposition;
use crate::answer::text;
use crate::app::App;

/// What is served there. Without credentials: the port is for this machine, or for a network of the operator's own.
pub(crate) fn page(app: Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { text(StatusCode::OK, "OK") }))
        .with_state(app)
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    // What cannot be told is left out: the other figures are no less true.
    let lanes = app.queue.statistics().await.unwrap_or_default();
    match exposition::text(&app, &lanes) {
        Ok(page) => ([(CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT))], page).into_response(),
        Err(error) => {
            tracing::error!(%error, "The metrics cannot be written.");
            text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written; the log says why")
        }
    }
}
