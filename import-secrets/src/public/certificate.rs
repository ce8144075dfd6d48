//! `GET /v1/cert.pem`: what to seal to. Everybody may have it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sdk::sealing::Newest;
use sealed_secrets::Certificate;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::app::App;
use crate::problem::Problem;

/// However many ask, it is looked up once in so long.
const FRESH: Duration = Duration::from_secs(5);

/// The certificate as it was a moment ago.
#[derive(Default)]
pub(crate) struct Cached(Mutex<Option<(Instant, Arc<str>)>>);

pub(super) async fn show(State(app): State<App>) -> Result<Response, Problem> {
    let pem = pem(&app).await?;
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "public, max-age=120")];
    Ok((headers, pem.to_string()).into_response())
}

/// The certificate that is sealed to now.
pub(super) async fn newest(app: &App) -> Result<Newest, Problem> {
    let certificate = Certificate::from_pem(&pem(app).await?).map_err(|error| Problem::Damaged(error.into()))?;
    Ok(Newest {
        fingerprint: certificate.fingerprint().to_owned(),
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
    })
}

async fn pem(app: &App) -> Result<Arc<str>, Problem> {
    let mut cached = app.certificate.0.lock().await;
    if let Some((since, pem)) = &*cached
        && since.elapsed() < FRESH
    {
        return Ok(Arc::clone(pem));
    }
    let pem: Arc<str> = app.backend.certificate().await?.into();
    *cached = Some((Instant::now(), Arc::clone(&pem)));
    Ok(pem)
}
