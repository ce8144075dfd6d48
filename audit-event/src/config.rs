//! What the operator decides.

use std::path::PathBuf;

use sdk::audit::AUDIT_FUNCTION;
use sdk::signing::Key;
use sdk::{ConfigError, Env, Invalid, Reader};
use secrecy::ExposeSecret;
use url::Url;

use crate::trail::Trail;

pub(crate) struct Config {
    /// From the secret `payload-secret`.
    pub(crate) key: Key,
    /// `slack_url`, or the secret `slack-url`. Whoever has it can post, so it is never logged.
    pub(crate) slack: Option<Url>,
    /// `audit_file`.
    pub(crate) trail: Option<Trail>,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let secret = r.secret("payload-secret");
        let slack = slack(&r);
        let trail = trail(&r);
        r.finish()?;
        Ok(Self { key: Key::derive(&secret?, AUDIT_FUNCTION), slack: slack?, trail: trail? })
    }
}

fn slack(r: &Reader<'_>) -> Result<Option<Url>, Invalid> {
    let url = match r.optional::<String>("slack_url")? {
        Some(text) => text,
        None => match r.optional_secret("slack-url") {
            Some(secret) => secret.expose_secret().to_owned(),
            None => return Ok(None),
        },
    };
    match url.parse::<Url>() {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Some(url)),
        _ => Err(r.invalid("slack_url", "must begin with http:// or https://")),
    }
}

fn trail(r: &Reader<'_>) -> Result<Option<Trail>, Invalid> {
    let Some(path) = r.optional::<PathBuf>("audit_file")? else { return Ok(None) };
    Trail::open(path).map(Some).map_err(|error| r.invalid("audit_file", sdk::failure::chain(&error)))
}
