//! Who asks: the App by what it signed, an installation by its token, or the operator by the fixed one.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderMap, StatusCode};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::routes::{Asked, Reply, created};
use super::{APP_ID, FIXED_TOKEN, INSTALLATION, Kept, REPO_ID, app_key};

const BAD_CREDENTIALS: (StatusCode, &str) = (StatusCode::UNAUTHORIZED, "Bad credentials");

/// A token that was given out.
pub(super) struct Issued {
    permissions: BTreeMap<String, String>,
    end: DateTime<Utc>,
}

/// Whose request it is.
pub(super) enum Bearer {
    Nobody,
    App,
    Fixed,
    Installation(BTreeMap<String, String>),
}

impl Bearer {
    /// Refuses who may not write or read this kind of thing.
    pub(super) fn may(&self, access: &str, kind: &str) -> Result<(), (StatusCode, &'static str)> {
        match self {
            Self::Fixed => Ok(()),
            Self::Installation(permissions) if permissions.get(kind).is_some_and(|given| given == access) => Ok(()),
            Self::Installation(_) => Err((StatusCode::FORBIDDEN, "Resource not accessible by integration")),
            Self::App | Self::Nobody => Err(BAD_CREDENTIALS),
        }
    }

    pub(super) fn is_app(&self) -> Result<(), (StatusCode, &'static str)> {
        if matches!(self, Self::App) { Ok(()) } else { Err(BAD_CREDENTIALS) }
    }

    /// Whose check runs it makes and sees as its own.
    pub(super) fn app_id(&self) -> u64 {
        if matches!(self, Self::Installation(_)) { APP_ID } else { 0 }
    }
}

#[derive(serde::Deserialize)]
struct Claims {
    iss: String,
    iat: i64,
    exp: i64,
}

pub(super) fn bearer(kept: &Kept, headers: &HeaderMap) -> Bearer {
    let header = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(token) = header else { return Bearer::Nobody };
    if token == FIXED_TOKEN {
        return Bearer::Fixed;
    }
    if let Some(issued) = kept.tokens.get(token).filter(|issued| issued.end > Utc::now()) {
        return Bearer::Installation(issued.permissions.clone());
    }
    if is_of_the_app(token) { Bearer::App } else { Bearer::Nobody }
}

/// As GitHub checks it: signed by the App's key, not from the future, and for ten minutes at most.
fn is_of_the_app(token: &str) -> bool {
    let key = DecodingKey::from_rsa_der(&app_key().public);
    let mut rules = Validation::new(Algorithm::RS256);
    rules.leeway = 0;
    let Ok(claims) = jsonwebtoken::decode::<Claims>(token, &key, &rules).map(|token| token.claims) else {
        return false;
    };
    let now = Utc::now().timestamp();
    claims.iss == APP_ID.to_string() && claims.iat <= now && claims.exp > now && claims.exp <= now + 600
}

pub(super) fn issue(kept: &mut Kept, asked: &Asked<'_>) -> Reply {
    asked.bearer.is_app()?;
    if asked.path[2] != INSTALLATION.to_string() {
        return Err((StatusCode::NOT_FOUND, "Not Found"));
    }
    let wanted = asked.body["permissions"].as_object().cloned().unwrap_or_default();
    let wanted: BTreeMap<String, String> =
        wanted.into_iter().map(|(name, access)| (name, access.as_str().unwrap_or_default().to_owned())).collect();
    if wanted.iter().any(|(name, access)| kept.permissions.get(name) != Some(access)) {
        return Err((
            StatusCode::UNPROCESSABLE_ENTITY,
            "The permissions requested are not granted to this installation.",
        ));
    }
    let ids = asked.body["repository_ids"].as_array().cloned().unwrap_or_default();
    let names = asked.body["repositories"].as_array().cloned().unwrap_or_default();
    if ids.iter().any(|id| id != &json!(REPO_ID)) || names.iter().any(|name| name != "hello") {
        return Err((
            StatusCode::UNPROCESSABLE_ENTITY,
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
        ));
    }
    let token = format!("ghs_{}", kept.next_id());
    let end = Utc::now() + kept.token_life;
    kept.tokens.insert(token.clone(), Issued { permissions: wanted.clone(), end });
    let expires_at = end.to_rfc3339_opts(SecondsFormat::Secs, true);
    let permissions = Value::from_iter(wanted);
    created(
        json!({"token": token, "expires_at": expires_at, "permissions": permissions, "repository_selection": "selected"}),
    )
}
