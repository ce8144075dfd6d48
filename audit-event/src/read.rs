//! `POST /read`: an owner's events, for the dashboard.

use axum::Json;
use axum::extract::{FromRef, State};
use http::StatusCode;
use sdk::audit::{AuditAnswer, AuditRequest};
use sdk::failure::Failure;
use sdk::signing::{Key, Signed};

use crate::book::{Book, BookError};

/// Its key is not that of events, so that who may only report may not read.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) key: Key,
    pub(crate) book: Option<Book>,
}

impl FromRef<Reading> for Key {
    fn from_ref(reading: &Reading) -> Self {
        reading.key.clone()
    }
}

pub(crate) async fn answer(
    State(reading): State<Reading>,
    Signed { message, .. }: Signed<AuditRequest>,
) -> Result<Json<AuditAnswer>, Failure> {
    let nothing = "no trail is kept here that can be read: neither audit_directory nor audit_store is set";
    let book = reading.book.ok_or_else(|| Failure::new(StatusCode::NOT_IMPLEMENTED, nothing))?;
    Ok(Json(book.read(&message).await?))
}

impl From<BookError> for Failure {
    fn from(error: BookError) -> Self {
        match error {
            BookError::NoOwner => Failure::bad_request(error.to_string()),
            BookError::Encoding(cause) => Failure::internal("the audit event cannot be encoded").because(cause),
            BookError::Store(cause) => {
                Failure::internal("the store of the audit trail does not work right now").because(cause)
            }
        }
    }
}
