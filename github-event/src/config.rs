//! What the operator decides.

use sdk::call::Functions;
use sdk::customers::Customers;
use sdk::{ConfigError, Env, Invalid, Reader};
use secrecy::SecretString;
use url::Url;

use crate::payload::Source;

/// GitHub sends no larger payload, in MiB.
const GITHUB_LIMIT_MB: usize = 25;

pub(crate) struct Config {
    /// `gateway_url` and the secret `payload-secret`.
    pub(crate) functions: Functions,
    /// `customers_path`.
    pub(crate) customers: Customers,
    /// `github_url` and `github_app_id`.
    pub(crate) source: Source,
    /// The secrets `github-webhook-secret` and, where it is there, `github-webhook-secret-next`.
    pub(crate) webhook_secrets: Vec<SecretString>,
    /// `max_webhook_mb`, in bytes.
    pub(crate) max_body_bytes: usize,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let functions = Functions::read(&r);
        let customers = Customers::read(&r);
        let github = github(&r);
        let app_id = r.optional("github_app_id");
        let secret = r.secret("github-webhook-secret");
        let next = r.optional_secret("github-webhook-secret-next");
        let max_mb = r.or("max_webhook_mb", GITHUB_LIMIT_MB);
        r.finish()?;
        let (host, pages) = github?;
        Ok(Self {
            functions: functions?,
            customers: customers?,
            source: Source { host, pages, app_id: app_id? },
            webhook_secrets: [secret?].into_iter().chain(next).collect(),
            max_body_bytes: max_mb?.saturating_mul(1024 * 1024),
        })
    }
}

fn github(r: &Reader<'_>) -> Result<(String, String), Invalid> {
    let url: Url = match r.optional("github_url")? {
        Some(url) => url,
        None => return Ok(("github.com".to_owned(), "https://github.com".to_owned())),
    };
    match url.host_str() {
        Some(host) if matches!(url.scheme(), "http" | "https") => {
            Ok((host.to_owned(), url.as_str().trim_end_matches('/').to_owned()))
        }
        _ => Err(r.invalid("github_url", format!("'{url}' must begin with http:// or https:// and a host"))),
    }
}
