//! `DELETE /async-function/CALL-ID`: takes a call back. Behind basic auth although calls are made without: their ids
//! are in every log, and often chosen by their senders.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use crate::answer::text;
use crate::app::App;
use crate::problem::Problem;

/// 202 in any case: a call that is not found has just ended, or never was.
pub(crate) async fn cancel(State(app): State<Arc<App>>, Path(call_id): Path<String>) -> Result<Response, Problem> {
    let found = app.queue.cancel(&call_id).await?;
    let running = found.running.len();
    for ticket in found.running {
        app.cancellations.cancel(ticket);
    }
    let sentence = match (found.removed, running) {
        (0, 0) => "no call with this id waits or runs".to_owned(),
        (waiting, running) => {
            tracing::info!(call_id, waiting, running, "A queued call was cancelled.");
            format!("calls with this id: {waiting} waited and are removed, {running} ran and are told to stop")
        }
    };
    Ok(text(StatusCode::ACCEPTED, sentence))
}
