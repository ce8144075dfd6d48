//! Basic auth on the management API.

use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::app::App;

/// The name and the password of the management API. They can be changed while the gateway runs.
pub struct Credentials {
    /// Of `name:password`. Digests have one length, so a comparison does not tell how long the password is.
    digest: RwLock<[u8; 32]>,
}

impl Credentials {
    pub(crate) fn new(user: &str, password: &SecretString) -> Self {
        Self { digest: RwLock::new(digest(user, password)) }
    }

    /// Puts others in their place; from the next request on only these hold. Answers whether they differ.
    pub fn replace(&self, user: &str, password: &SecretString) -> bool {
        let new = digest(user, password);
        let mut digest = self.digest.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *digest != new;
        *digest = new;
        changed
    }

    fn allow(&self, headers: &HeaderMap) -> bool {
        let Some(given) = headers.get(AUTHORIZATION).and_then(decoded) else { return false };
        let expected = *self.digest.read().unwrap_or_else(PoisonError::into_inner);
        Sha256::digest(&given).ct_eq(&expected).into()
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

fn digest(user: &str, password: &SecretString) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [user, ":", password.expose_secret()] {
        hash.update(part);
    }
    hash.finalize().into()
}

/// Lets a request through if it carries the right name and password.
pub(crate) async fn require(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if app.credentials.allow(request.headers()) {
        return next.run(request).await;
    }
    let realm = HeaderValue::from_static("Basic realm=\"Restricted\"");
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, realm)], "invalid credentials\n").into_response()
}

/// `name:password` of a basic authorization.
fn decoded(value: &HeaderValue) -> Option<Vec<u8>> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then_some(())?;
    STANDARD.decode(encoded.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(text));
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(&value).unwrap())])
    }

    #[test]
    fn replaced_credentials_hold_at_once_and_the_old_ones_no_longer() {
        let credentials = Credentials::new("admin", &"old".into());
        assert!(credentials.allow(&basic("admin:old")));
        assert!(credentials.replace("root", &"new".into()));
        assert!(!credentials.allow(&basic("admin:old")));
        assert!(credentials.allow(&basic("root:new")));
        assert!(!credentials.replace("root", &"new".into()));
    }

    #[test]
    fn nothing_but_name_and_password_is_let_through() {
        let credentials = Credentials::new("admin", &"a:b".into());
        assert!(credentials.allow(&basic("admin:a:b")));
        for wrong in ["admin:a", "admin:a:bb", "Admin:a:b", ":", ""] {
            assert!(!credentials.allow(&basic(wrong)), "{wrong}");
        }
        assert!(!credentials.allow(&HeaderMap::new()));
        let bearer = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer YWRtaW46YTpi"))]);
        assert!(!credentials.allow(&bearer));
        assert!(!format!("{credentials:?}").contains("digest"));
    }
}
