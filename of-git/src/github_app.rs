//! The GitHub App as whom the platform reads and reports: known by a number and a public key.

use std::collections::BTreeMap;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::payload::node_id;

/// The App's name in its address.
pub(crate) const SLUG: &str = "openfaas-cloud";
/// How long a token of the App may be good, in seconds: GitHub's limit.
const LONGEST: u64 = 10 * 60;
/// How far two clocks may be apart, in seconds.
const LEEWAY: u64 = 60;
/// Longer tokens are not looked at, in bytes.
const MAX_TOKEN: usize = 4096;
/// What the App may do with its owners' repositories.
const PERMISSIONS: [(&str, Level); 5] = [
    ("checks", Level::Write),
    ("contents", Level::Read),
    ("deployments", Level::Write),
    ("metadata", Level::Read),
    ("statuses", Level::Write),
];
/// The events that the App is told of besides those that every App is.
const EVENTS: [&str; 5] = ["check_run", "check_suite", "deployment", "push", "repository"];

/// How the configuration names the App.
#[derive(Debug, Clone)]
pub struct GithubApp {
    /// `github_app_id`: its number.
    pub id: u64,
    /// `github-app-public-key`: checks what it signs; PEM.
    pub public_key: String,
}

/// What may be done with one kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Read,
    Write,
}

/// What a token may do, by GitHub's names.
pub(crate) type Permissions = BTreeMap<String, Level>;

/// Everything that the App may do.
pub(crate) fn permissions() -> Permissions {
    PERMISSIONS.into_iter().map(|(name, level)| (name.to_owned(), level)).collect()
}

/// The App, ready to check what it signs.
pub(crate) struct Registration {
    pub(crate) id: u64,
    key: DecodingKey,
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why a token is none of the App's. The words are for whoever sets the App up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadJwt {
    #[error("A JSON web token could not be decoded")]
    Unreadable,
    #[error("'Issuer' claim ('iss') is not the App's id")]
    Issuer,
    #[error("'Expiration time' claim ('exp') is too far in the future")]
    TooLong,
    #[error(
        "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
    )]
    Expired,
    #[error("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")]
    Future,
}

#[derive(Deserialize)]
struct Claims {
    iss: Issuer,
    iat: u64,
    exp: u64,
}

/// GitHub takes the number, and the same as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Issuer {
    Number(u64),
    Text(String),
}

impl Registration {
    /// Reads the public key.
    pub(crate) fn new(app: &GithubApp) -> Result<Self, jsonwebtoken::errors::Error> {
        Ok(Self { id: app.id, key: DecodingKey::from_rsa_pem(app.public_key.as_bytes())? })
    }

    /// Checks a token that the App signed, at this time in seconds since 1970.
    pub(crate) fn check(&self, token: &str, now: u64) -> Result<(), BadJwt> {
        if token.len() > MAX_TOKEN {
            return Err(BadJwt::Unreadable);
        }
        let mut validation = Validation::new(Algorithm::RS256);
        // The times are looked at below, in GitHub's words.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Claims>(token, &self.key, &validation);
        let Claims { iss, iat, exp } = claims.map_err(|_| BadJwt::Unreadable)?.claims;
        let is_ours = match iss {
            Issuer::Number(number) => number == self.id,
            Issuer::Text(text) => text == self.id.to_string(),
        };
        match () {
            () if !is_ours => Err(BadJwt::Issuer),
            () if exp.saturating_add(LEEWAY) <= now => Err(BadJwt::Expired),
            () if exp > now + LONGEST + LEEWAY => Err(BadJwt::TooLong),
            () if iat > now + LEEWAY => Err(BadJwt::Future),
            () => Ok(()),
        }
    }

    /// The App in GitHub's form. `owner` is the account it belongs to.
    pub(crate) fn shown(&self, base: &str, owner: &Value, since: &str) -> Value {
        json!({
            "id": self.id,
            "client_id": client_id(self.id),
            "slug": SLUG,
            "node_id": node_id("Integration", self.id),
            "owner": owner,
            "name": "OpenFaaS Cloud",
            "description": "",
            "external_url": base,
            "html_url": format!("{base}/apps/{SLUG}"),
            "created_at": since,
            "updated_at": since,
            "permissions": permissions(),
            "events": EVENTS,
        })
    }
}

/// The App's other name.
pub(crate) fn client_id(id: u64) -> String {
    format!("Iv1.{id:016x}")
}

/// The events of an installation.
pub(crate) fn events() -> Value {
    json!(EVENTS)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    struct Pair {
        app: Registration,
        private: secrecy::SecretString,
        public: String,
    }

    fn pair() -> Pair {
        let private = crate::app_key::generate().unwrap();
        let public = crate::app_key::public_half(&private).unwrap();
        let app = Registration::new(&GithubApp { id: 7, public_key: public.clone() }).unwrap();
        Pair { app, private, public }
    }

    impl Pair {
        fn signed(&self, claims: &Value) -> String {
            let key = jsonwebtoken::EncodingKey::from_rsa_pem(self.private.expose_secret().as_bytes()).unwrap();
            jsonwebtoken::encode(&jsonwebtoken::Header::new(Algorithm::RS256), claims, &key).unwrap()
        }
    }

    #[test]
    fn the_app_is_known_by_its_signature_number_and_time() {
        let (now, pair) = (1_000_000, pair());
        let check = |claims: Value| pair.app.check(&pair.signed(&claims), now);
        assert_eq!(check(json!({"iss": "7", "iat": now - 60, "exp": now + 540})), Ok(()));
        assert_eq!(check(json!({"iss": 7, "iat": now, "exp": now + 600})), Ok(()));
        assert_eq!(check(json!({"iss": "8", "iat": now, "exp": now + 60})), Err(BadJwt::Issuer));
        assert_eq!(check(json!({"iss": "7", "iat": now, "exp": now - 61})), Err(BadJwt::Expired));
        assert_eq!(check(json!({"iss": "7", "iat": now, "exp": now + 700})), Err(BadJwt::TooLong));
        assert_eq!(check(json!({"iss": "7", "iat": now + 90, "exp": now + 100})), Err(BadJwt::Future));
        assert_eq!(check(json!({"iss": "7", "iat": now})), Err(BadJwt::Unreadable));
    }

    #[test]
    fn no_other_signature_counts() {
        let pair = pair();
        let claims = json!({"iss": "7", "iat": 100, "exp": 200});
        let stranger = self::pair().signed(&claims);
        let by_text = jsonwebtoken::EncodingKey::from_secret(pair.public.as_bytes());
        let confused = jsonwebtoken::encode(&jsonwebtoken::Header::new(Algorithm::HS256), &claims, &by_text).unwrap();
        for token in [stranger.as_str(), &confused, "", "a.b.c", &"a".repeat(5000)] {
            assert_eq!(pair.app.check(token, 100), Err(BadJwt::Unreadable), "{token}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(Registration::new(&GithubApp { id: 7, public_key: "x".into() }).is_err());
    }
}
