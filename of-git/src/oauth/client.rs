//! The one client.

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// Who may ask people for their identity: the platform's of-auth.
#[derive(Debug, Clone)]
pub struct Client {
    /// `oauth_client_id`.
    pub id: String,
    /// Secret `of-client-secret`.
    pub secret: SecretString,
    /// `oauth_redirect_uri`: where codes are sent, to the letter.
    pub redirect_uri: String,
}

impl Client {
    /// True if these are its credentials. The secret is compared in the same time whatever differs.
    pub(super) fn is(&self, id: &str, secret: &str) -> bool {
        let right = self.secret.expose_secret().as_bytes().ct_eq(secret.as_bytes());
        bool::from(right) && self.id == id
    }
}
