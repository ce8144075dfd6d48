//! What the operator decides.

use sdk::signing::Key;
use sdk::event::Scm;
use sdk::{ConfigError, Env, Invalid, Reader};
use secrecy::SecretString;
use url::Url;

pub(crate) struct Config {
    /// From the secret `payload-secret`.
    pub(crate) key: Key,
    /// The host part of `github_url`: whose statuses are passed on.
    pub(crate) host: String,
    /// `github_api_url` and the secret `github-token`, both or neither.
    pub(crate) api: Option<(Url, SecretString)>,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let secret = r.secret("payload-secret");
        let host = host(&r);
        let api = api(&r);
        r.finish()?;
        Ok(Self { key: Key::derive(&secret?, Scm::Github.status_function()), host: host?, api: api? })
    }
}

fn host(r: &Reader<'_>) -> Result<String, Invalid> {
    let Some(url) = r.optional::<Url>("github_url")? else { return Ok("github.com".to_owned()) };
    url.host_str().map(str::to_owned).ok_or_else(|| r.invalid("github_url", "has no host"))
}

fn api(r: &Reader<'_>) -> Result<Option<(Url, SecretString)>, Invalid> {
    let url: Option<Url> = r.optional("github_api_url")?;
    match (url, r.optional_secret("github-token")) {
        (None, None) => Ok(None),
        (Some(url), Some(token)) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            Ok(Some((url, token)))
        }
        (Some(_), Some(_)) => Err(r.invalid("github_api_url", "must begin with http:// or https:// and a host")),
        (Some(_), None) => Err(
            r.invalid("github-token", "is missing: github_api_url is set and nothing can be reported there without it")
        ),
        (None, Some(_)) => {
            Err(r.invalid("github_api_url", "is not set: there is a github-token and nowhere to use it"))
        }
    }
}
