//! The axum side: a handler that takes [`Signed`] is never reached without a valid signature.

use axum::extract::{FromRef, FromRequest, Request};
use http::StatusCode;
use serde::de::DeserializeOwned;

use super::Key;
use crate::call::CallId;
use crate::failure::Failure;

/// The largest signed JSON message, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// A JSON message whose signature holds, and the call that it belongs to. Nothing is parsed before.
///
/// The state must give the [`Key`] of the function that receives (`impl FromRef<State> for Key`).
#[derive(Debug, Clone)]
pub struct Signed<T> {
    /// The message.
    pub message: T,
    /// From `X-Call-Id`.
    pub call: CallId,
}

impl<S, T> FromRequest<S> for Signed<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
    Key: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, MAX_MESSAGE_BYTES).await.map_err(|cause| {
            let text = format!("the message did not arrive whole or is over {MAX_MESSAGE_BYTES} bytes");
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, text).because(cause)
        })?;
        let key = Key::from_ref(state);
        key.verify(&head.method, &head.headers, &body).map_err(|error| Failure::unauthorized(error.to_string()))?;
        let message = serde_json::from_slice(&body)
            .map_err(|cause| Failure::bad_request(format!("the message is not understood: {cause}")))?;
        Ok(Self { message, call: CallId::from_headers(&head.headers) })
    }
}
