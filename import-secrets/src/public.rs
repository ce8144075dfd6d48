//! What people ask, through the router: the certificate, whether a file opens here, the same sealed anew, a report.

mod caller;
mod certificate;
mod report;
mod rotate;
mod verify;

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use sealed_secrets::SealedSecret;
use sealed_secrets::documents::{self, Limits};

use crate::app::App;
use crate::backend::Candidate;
use crate::names;
use crate::plan::Refusal;
use crate::problem::Problem;

pub(crate) use self::caller::Callers;
pub(crate) use self::certificate::Cached;

/// What one call may have: it takes a processor for half a second at most where all is sealed to the newest key.
const LIMITS: Limits = Limits { file_bytes: 512 * 1024, documents: 100, values: 200 };

/// The routes below the function.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/cert.pem", get(certificate::show))
        .route("/v1/verify", post(verify::verify))
        .route("/v1/rotate", post(rotate::rotate))
        .route("/v1/report", get(report::report))
        .layer(DefaultBodyLimit::max(LIMITS.file_bytes))
}

/// The documents of a body, each of which is for this stage's functions.
async fn documents(app: &App, body: Vec<u8>) -> Result<Vec<SealedSecret>, Problem> {
    let text = String::from_utf8(body).map_err(|_| Problem::Invalid("the documents are not UTF-8".to_owned()))?;
    let parsed = tokio::task::spawn_blocking(move || documents::parse(&text, &LIMITS)).await;
    let documents = parsed.map_err(|_| Problem::Broken)??;
    for document in &documents {
        if document.namespace != app.namespace {
            let (found, wanted) = (document.namespace.clone(), app.namespace.clone());
            return Err(Refusal::Namespace { name: document.name.clone(), found, wanted }.into());
        }
        if let Some(key) = document.encrypted_data.keys().find(|key| !names::is_key(key)) {
            return Err(Refusal::Key { name: document.name.clone(), key: key.clone() }.into());
        }
    }
    Ok(documents)
}

fn candidate(document: &SealedSecret) -> Candidate {
    let sealed: BTreeMap<_, _> = document.encrypted_data.clone();
    Candidate { name: document.name.clone(), wanted: sealed.keys().cloned().collect(), sealed }
}
