//! What the operator decides.

use sdk::{Invalid, Reader};
use secrecy::SecretString;
use url::Url;

use crate::api::Api;
use crate::app::App;
use crate::client::Client;

const GITHUB: &str = "github.com";
const GITHUB_API: &str = "https://api.github.com";

/// `github_api_url`; where it is unset, what belongs to `github_url`: another host's App has no business at GitHub's.
pub(crate) fn api(r: &Reader<'_>) -> Result<Api, Invalid> {
    let api: Option<Url> = r.optional("github_api_url")?;
    let site: Option<Url> = r.optional("github_url")?;
    let base = match (api, site) {
        (Some(api), _) => Ok(api),
        (None, Some(site)) if site.host_str().is_some_and(|host| host != GITHUB) => {
            site.join("/api/v3").map_err(|error| error.to_string())
        }
        _ => Url::parse(GITHUB_API).map_err(|error| error.to_string()),
    };
    let base = base.map_err(|error| r.invalid("github_url", error))?;
    let clean = base.username().is_empty() && base.password().is_none() && base.query().is_none();
    if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
        return Err(r.invalid("github_api_url", "must begin with http:// or https:// and a host"));
    }
    if !clean {
        return Err(
            r.invalid("github_api_url", "must have no user, password or query: secrets are mounted, not written")
        );
    }
    Ok(Api::new(base))
}

pub(crate) fn app(r: &Reader<'_>) -> Result<Option<App>, Invalid> {
    let id: Option<String> = r.optional("github_app_id")?;
    let name = r.or("private_key_filename", "private-key".to_owned())?;
    let (id, pem) = match (id, r.optional_secret(&name)) {
        (None, None) => return Ok(None),
        (Some(id), Some(pem)) => (id, pem),
        (Some(_), None) => return Err(r.invalid(&name, "is missing: github_app_id is set, and an App needs its key")),
        (None, Some(_)) => {
            return Err(r.invalid("github_app_id", "is not set: there is a private key and no App that it belongs to"));
        }
    };
    if id.len() > 100 || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.') {
        return Err(r.invalid("github_app_id", "is neither a number nor a client id"));
    }
    let unusable = |_| r.invalid(&name, "is no RSA key in PEM form, as GitHub gives it");
    App::new(api(r)?, id, &pem).map(Some).map_err(unusable)
}

pub(crate) fn client(r: &Reader<'_>) -> Result<Option<Client>, Invalid> {
    let token: Option<SecretString> = r.optional_secret("github-token");
    match (app(r)?, token) {
        (Some(app), _) => Ok(Some(Client::of_app(app))),
        (None, Some(token)) => Ok(Some(Client::with_token(api(r)?, token))),
        (None, None) => Ok(None),
    }
}
