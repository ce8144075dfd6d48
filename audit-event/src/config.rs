//! What the operator decides.

use std::path::PathBuf;

use object_store::{Place, Variables};
use sdk::audit::{AUDIT_FUNCTION, READ_AUDIT};
use sdk::signing::Key;
use sdk::{ConfigError, Env, Invalid, Reader};
use secrecy::ExposeSecret;
use url::Url;

use crate::book::Book;
use crate::trail::Trail;

const PLACE: Variables = Variables { store: "audit_store", directory: "audit_directory", bucket: "audit" };

pub(crate) struct Config {
    /// From the secret `payload-secret`.
    pub(crate) key: Key,
    /// From the same, for those who read.
    pub(crate) read_key: Key,
    /// `slack_url`, or the secret `slack-url`. Whoever has it can post, so it is never logged.
    pub(crate) slack: Option<Url>,
    /// `audit_file`.
    pub(crate) trail: Option<Trail>,
    /// `audit_store` with `audit_directory`, or `s3_url` and what goes with it.
    pub(crate) book: Option<Book>,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let secret = r.secret("payload-secret");
        let slack = slack(&r);
        let trail = trail(&r);
        let book = book(&r);
        r.finish()?;
        let secret = secret?;
        Ok(Self {
            key: Key::derive(&secret, AUDIT_FUNCTION),
            read_key: Key::derive(&secret, READ_AUDIT),
            slack: slack?,
            trail: trail?,
            book: book?,
        })
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

/// Without either variable no trail is kept to be read.
fn book(r: &Reader<'_>) -> Result<Option<Book>, Invalid> {
    let is_set = |name| r.optional::<String>(name).map(|value| value.is_some());
    if !is_set(PLACE.store)? && !is_set(PLACE.directory)? {
        return Ok(None);
    }
    Place::read(r, PLACE).map(|place| Some(Book::new(place.open())))
}
