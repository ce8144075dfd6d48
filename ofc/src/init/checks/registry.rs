//! Whether a registry lets us push: its own protocol's login, with the credentials of a file as `docker login` writes it.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::WWW_AUTHENTICATE;
use reqwest::Response;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{MAX_ANSWER, PATIENCE};
use crate::config_file::{parse_address, read_bounded};

/// What Docker calls the registry of images that name none, the key of its credentials, and where it is.
const HUB: &str = "docker.io";
const HUB_KEY: &str = "index.docker.io";
const HUB_ADDRESS: &str = "registry-1.docker.io";

/// Why there is no login. No sentence has a part of the credentials in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    #[error("the credentials {path} cannot be read")]
    File { path: String, source: std::io::Error },
    #[error("{path} is no docker config: it needs \"auths\" with \"auth\" as the base64 of name:password")]
    Malformed { path: String },
    #[error("{path} leaves the credentials for {host} to a helper, which is not run here")]
    Helper { path: String, host: String },
    #[error("{path} has no credentials for {host}, and it wants some")]
    NoEntry { path: String, host: String },
    #[error("{0} cannot be reached")]
    Unreachable(String, #[source] reqwest::Error),
    #[error("{0} does not take the credentials")]
    Refused(String),
    #[error("{0} answers {1}")]
    Unexpected(String, StatusCode),
    #[error("{0} asks for a login that is not understood")]
    Challenge(String),
}

impl LoginError {
    /// What to do about it.
    pub(crate) fn advice(&self, host: &str) -> String {
        match self {
            Self::Unreachable(..) | Self::Unexpected(..) | Self::Challenge(_) => {
                "see whether registry.prefix is right, and the registry can be reached from here".to_owned()
            }
            Self::Helper { .. } => format!(
                "write an entry into \"auths\" by hand, or: docker --config DIR login {host}, and name DIR/config.json"
            ),
            _ => format!("docker login {host}, and name the file as registry.credentials"),
        }
    }
}

/// Name and password of one registry.
struct Credentials {
    user: String,
    password: SecretString,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<SecretString>,
    access_token: Option<SecretString>,
}

/// Logs in at the registry of a prefix for pushing below it, and says how.
///
/// # Errors
/// When the registry does not let us in.
pub(crate) async fn login(prefix: &str, file: Option<&Path>) -> Result<String, LoginError> {
    let (host, path) = prefix.trim_end_matches('/').split_once('/').unwrap_or((prefix.trim_end_matches('/'), ""));
    let credentials = file.map(|file| credentials(file, host)).transpose()?.flatten();
    let base = base(host);
    let url = format!("{base}/v2/");
    let first = send(host, sdk::http::client().get(&url)).await?;
    match first.status() {
        StatusCode::OK => return Ok(format!("{host} wants no login")),
        StatusCode::UNAUTHORIZED => {}
        status => return Err(LoginError::Unexpected(host.to_owned(), status)),
    }
    let shown = file.map_or_else(|| "the configuration".to_owned(), |file| file.display().to_string());
    let credentials = credentials.ok_or(LoginError::NoEntry { path: shown, host: host.to_owned() })?;
    let request = sdk::http::client().get(&url);
    let second = match challenge(host, &first)? {
        Challenge::Basic => request.basic_auth(&credentials.user, Some(credentials.password.expose_secret())),
        Challenge::Bearer { realm, service } => {
            let token = token(host, &realm, &service, path, &credentials).await?;
            request.bearer_auth(token.expose_secret())
        }
    };
    match send(host, second).await?.status() {
        StatusCode::OK => Ok(format!("{host} lets {} in", credentials.user)),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(LoginError::Refused(host.to_owned())),
        status => Err(LoginError::Unexpected(host.to_owned(), status)),
    }
}

/// Registries of this machine speak plainly, as Docker takes them to.
fn base(host: &str) -> String {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let local = name == "localhost" || name.starts_with("127.");
    let address = if host == HUB { HUB_ADDRESS } else { host };
    format!("{}://{address}", if local { "http" } else { "https" })
}

async fn send(host: &str, request: reqwest::RequestBuilder) -> Result<Response, LoginError> {
    let sent = request.timeout(PATIENCE).send().await;
    sent.map_err(|cause| LoginError::Unreachable(host.to_owned(), cause.without_url()))
}

enum Challenge {
    Basic,
    Bearer { realm: Url, service: String },
}

fn challenge(host: &str, response: &Response) -> Result<Challenge, LoginError> {
    let header = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Ok(Challenge::Basic);
    }
    let unknown = || LoginError::Challenge(host.to_owned());
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(unknown());
    }
    let value = |name: &str| {
        let start = rest.find(&format!("{name}=\""))? + name.len() + 2;
        rest[start..].split('"').next().map(str::to_owned)
    };
    // The password travels there: to the address that the registry names, and only where nobody can read along.
    let realm = value("realm").and_then(|realm| parse_address(&realm).ok()).ok_or_else(unknown)?;
    Ok(Challenge::Bearer { realm, service: value("service").unwrap_or_default() })
}

/// A token for pushing what is called `<path>/…`.
async fn token(
    host: &str,
    realm: &Url,
    service: &str,
    path: &str,
    credentials: &Credentials,
) -> Result<SecretString, LoginError> {
    let name = if path.is_empty() { "ofc-init".to_owned() } else { format!("{path}/ofc-init") };
    let mut url = realm.clone();
    let scope = format!("repository:{name}:pull,push");
    url.query_pairs_mut().append_pair("service", service).append_pair("scope", &scope);
    let request =
        sdk::http::client().get(url).basic_auth(&credentials.user, Some(credentials.password.expose_secret()));
    let response = send(host, request).await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(LoginError::Refused(host.to_owned())),
        status => return Err(LoginError::Unexpected(host.to_owned(), status)),
    }
    let text = SecretString::from(sdk::call::bounded_text(response, MAX_ANSWER).await);
    let answer: Option<TokenAnswer> = serde_json::from_str(text.expose_secret()).ok();
    let token = answer.and_then(|answer| answer.token.or(answer.access_token));
    token.ok_or_else(|| LoginError::Challenge(host.to_owned()))
}

/// A docker config with the entry of one registry alone, and nothing else of the file.
///
/// # Errors
/// When the file has none.
pub(crate) fn only(file: &Path, host: &str) -> Result<Vec<u8>, LoginError> {
    let path = file.display().to_string();
    let found = credentials(file, host)?.ok_or(LoginError::NoEntry { path, host: host.to_owned() })?;
    let auth = STANDARD.encode(format!("{}:{}", found.user, found.password.expose_secret()));
    let key = if host == HUB { "https://index.docker.io/v1/" } else { host };
    Ok(serde_json::json!({ "auths": { key: { "auth": auth } } }).to_string().into_bytes())
}

/// The entry of a docker config for a registry, if it has one.
fn credentials(file: &Path, host: &str) -> Result<Option<Credentials>, LoginError> {
    let path = file.display().to_string();
    let text = read_bounded(file).map_err(|source| LoginError::File { path: path.clone(), source })?;
    let text = SecretString::from(text);
    let malformed = || LoginError::Malformed { path: path.clone() };
    let config: Value = serde_json::from_str(text.expose_secret()).map_err(|_| malformed())?;
    let entries = config["auths"].as_object();
    let mine = |key: &str| {
        let bare = key.trim_start_matches("https://").trim_start_matches("http://");
        let server = bare.split('/').next().unwrap_or(bare);
        server == host || (host == HUB && (server == HUB_KEY || server == HUB_ADDRESS))
    };
    let entry = entries.and_then(|entries| entries.iter().find(|(key, _)| mine(key))).map(|(_, entry)| entry);
    let field = |name: &str| entry.and_then(|entry| entry[name].as_str()).filter(|text| !text.is_empty());
    if let (Some(user), Some(password)) = (field("username"), field("password")) {
        return Ok(Some(Credentials { user: user.to_owned(), password: password.into() }));
    }
    if let Some(auth) = field("auth") {
        let pair = STANDARD.decode(auth).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(malformed)?;
        let (user, password) = pair.split_once(':').ok_or_else(malformed)?;
        return Ok(Some(Credentials { user: user.to_owned(), password: password.trim_end_matches('\0').into() }));
    }
    let helped = config["credsStore"].is_string() || config["credHelpers"][host].is_string();
    if helped { Err(LoginError::Helper { path, host: host.to_owned() }) } else { Ok(None) }
}

#[cfg(test)]
mod tests;
