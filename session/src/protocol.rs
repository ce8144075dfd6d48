//! What the router asks of-auth, and what of-auth tells the router. Both are signed with `sdk::signing` for the
//! service [`AUTH`]; a stream of notices is asked for with an empty body.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::claims::Claims;

/// The service that requests are signed for.
pub const AUTH: &str = "of-auth";
/// `POST`: a [`Question`]; 200 with an [`Answer`], 401 for a no.
pub const QUESTION_PATH: &str = "/q/";
/// `GET`: [`Notice`]s for as long as the connection stands, each a line of JSON.
pub const NOTICES_PATH: &str = "/internal/notices";
/// `GET`, public: a [`crate::Jwks`].
pub const JWKS_PATH: &str = "/.well-known/jwks.json";
/// Below this path every host of the platform has of-auth's own pages: `login?to=<path>`, `session`, `logout`.
pub const HOST_PAGES: &str = "/.ofc/";
/// [`Notice::Alive`] comes this often, in seconds. A router that has heard nothing for three times as long believes
/// no token by itself.
pub const ALIVE_SECONDS: u64 = 5;
/// How an API token begins.
pub const API_TOKEN_PREFIX: &str = "ofct_";

/// Whose is this?
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Question {
    /// The host that it was sent to, lower-cased, without a port.
    pub host: String,
    /// A session's token, perhaps expired, or an API token.
    pub token: String,
}

/// A clear yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Who it is. `aud` is the host of the question.
    pub claims: Claims,
    /// A newer token for the same host, to be set as the cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed: Option<String>,
    /// What an API token may be used for; a session's may be used for all that its person may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<BTreeSet<Scope>>,
    /// For how many seconds the same question need not be asked again. A revocation ends it sooner.
    pub keep: u64,
}

/// What an API token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Call functions that are for members.
    Invoke,
    /// Read the platform's pages and interfaces.
    Read,
    /// Change things there: deploy, scale, delete.
    Write,
}

/// Something that the router has to know at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notice {
    /// This session or API token counts no more. The last of its tokens ends at `until` (seconds since 1970).
    Revoked {
        /// The session.
        sid: String,
        /// When it can be forgotten.
        until: u64,
    },
    /// All that was revoked before has been told.
    Ready,
    /// The connection stands.
    Alive,
}

impl std::str::FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        match text {
            "invoke" => Ok(Self::Invoke),
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            _ => Err(UnknownScope),
        }
    }
}

/// Not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is none of invoke, read and write")]
pub struct UnknownScope;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_short_lines() {
        let revoked = Notice::Revoked { sid: "s1".into(), until: 7 };
        assert_eq!(serde_json::to_string(&revoked).unwrap(), r#"{"revoked":{"sid":"s1","until":7}}"#);
        assert_eq!(serde_json::to_string(&Notice::Ready).unwrap(), "\"ready\"");
        assert_eq!(serde_json::from_str::<Notice>("\"alive\"").unwrap(), Notice::Alive);
    }
}
