//! Basic auth on the management API.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::app::App;

/// Lets a request through if it carries the right name and password.
pub(crate) async fn require(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if is_allowed(&app, request.headers()) {
        return next.run(request).await;
    }
    let realm = HeaderValue::from_static("Basic realm=\"Restricted\"");
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, realm)], "invalid credentials\n").into_response()
}

fn is_allowed(app: &App, headers: &HeaderMap) -> bool {
    let Some(given) = headers.get(AUTHORIZATION).and_then(credentials) else { return false };
    let expected = format!("{}:{}", app.config.user, app.config.password.expose_secret());
    // Digests have one length, so the comparison does not tell how long the password is.
    Sha256::digest(&given).ct_eq(&Sha256::digest(expected.as_bytes())).into()
}

/// `name:password` of a basic authorization.
fn credentials(value: &HeaderValue) -> Option<Vec<u8>> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then_some(())?;
    STANDARD.decode(encoded.trim()).ok()
}
