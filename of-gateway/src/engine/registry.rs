//! Credentials of private registries, from a file as `docker login` writes it.
//!
//! The file is read anew at every pull, so that a change of it needs no restart. Credentials are matched by the
//! registry's host, as Docker does, and go to the engine with a pull from that registry and no other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use http::HeaderValue;
use openfaas_runtime::{Env, Invalid, Reader};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// The variable with the file's path.
const VARIABLE: &str = "docker_config";
/// The secret that holds the file where the variable names none.
const SECRET: &str = "docker-config";
/// What Docker calls the registry of images that name none, and the key of its credentials.
const HUB: &str = "docker.io";
const HUB_KEY: &str = "https://index.docker.io/v1/";
/// A larger file is taken for a mistake.
const MAX_FILE: u64 = 1 << 20;

/// Where the credentials of registries are kept.
#[derive(Debug, Clone, Default)]
pub enum RegistryCredentials {
    /// Nowhere: images are pulled without.
    #[default]
    None,
    /// In a file like Docker's `config.json`.
    File(PathBuf),
    /// In the secret `docker-config`, with the content of such a file; pulls without while there is none.
    Secret(Env),
}

/// Why there are no credentials although there should be some. No sentence holds a part of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error("the docker config {0} cannot be read ({1})")]
    Read(String, String),
    #[error("the docker config {name} is not understood: {kind} in line {line}, column {column}")]
    Malformed { name: String, kind: &'static str, line: usize, column: usize },
    #[error("the docker config {0} has no usable credentials for {1}: \"auth\" is not the base64 of name:password")]
    Auth(String, String),
    #[error(
        "the docker config {name} leaves the credentials for {registry} to the helper \"{helper}\", which is not run \
         here; write them into its \"auths\""
    )]
    Helper { name: String, registry: String, helper: String },
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credsStore")]
    store: String,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

/// An element of `auths`.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    username: String,
    password: SecretString,
    /// Base64 of `name:password`.
    auth: SecretString,
    identitytoken: SecretString,
    registrytoken: SecretString,
}

/// What the engine takes as `X-Registry-Auth`.
#[derive(Serialize)]
struct Header<'a> {
    username: &'a str,
    password: &'a str,
    serveraddress: &'a str,
    identitytoken: &'a str,
    registrytoken: &'a str,
}

impl RegistryCredentials {
    /// A file named by the variable has to be there and be understood, so that a mistake shows at the start.
    pub(crate) fn from_env(r: &Reader<'_>, env: &Env) -> Result<Self, Invalid> {
        let Some(path) = r.optional::<PathBuf>(VARIABLE)? else { return Ok(Self::Secret(env.clone())) };
        let file = Self::File(path);
        match file.read() {
            Ok(_) => Ok(file),
            Err(error) => Err(r.invalid(VARIABLE, format!("is not usable: {error}"))),
        }
    }

    /// The header for a pull of this image; `None` if there are no credentials for its registry.
    pub(crate) fn header(&self, image: &str) -> Result<Option<HeaderValue>, CredentialsError> {
        let Some(file) = self.read()? else { return Ok(None) };
        let registry = registry(image);
        let (key, entry) = match file.find(registry) {
            Some((key, entry)) if !entry.is_empty() => (key, entry),
            // A login that went to a helper leaves an empty entry behind.
            found => {
                return file
                    .helper(registry, found.is_some())
                    .map_or(Ok(None), |helper| Err(self.helper(registry, helper)));
            }
        };
        let unusable = || CredentialsError::Auth(self.name(), registry.to_owned());
        entry.header(key).ok_or_else(unusable).map(Some)
    }

    fn helper(&self, registry: &str, helper: &str) -> CredentialsError {
        CredentialsError::Helper { name: self.name(), registry: registry.to_owned(), helper: helper.to_owned() }
    }

    fn read(&self) -> Result<Option<File>, CredentialsError> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Secret(env) => match env.secret(SECRET) {
                Some(text) => text,
                None => return Ok(None),
            },
            Self::File(path) => {
                let unreadable = |why: String| CredentialsError::Read(self.name(), why);
                let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
                if size > MAX_FILE {
                    return Err(unreadable("it is larger than 1 MiB".to_owned()));
                }
                std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?.into()
            }
        };
        // The parser's own sentence may quote a value.
        let malformed = |error: serde_json::Error| CredentialsError::Malformed {
            name: self.name(),
            kind: if error.is_data() { "a value of the wrong type" } else { "no valid JSON" },
            line: error.line(),
            column: error.column(),
        };
        serde_json::from_str(text.expose_secret()).map(Some).map_err(malformed)
    }

    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::None | Self::Secret(_) => format!("in the secret {SECRET}"),
        }
    }
}

impl File {
    /// The entry of this registry, by its very key or by the host in it: older logins wrote whole addresses.
    fn find(&self, registry: &str) -> Option<(&str, &Entry)> {
        let key = if registry == HUB { HUB_KEY } else { registry };
        let exact = self.auths.get_key_value(key);
        let found = exact.or_else(|| self.auths.iter().find(|(key, _)| canonical(host(key)) == registry));
        found.map(|(key, entry)| (key.as_str(), entry))
    }

    fn helper(&self, registry: &str, logged_in: bool) -> Option<&str> {
        let own = self.helpers.iter().find(|(key, _)| canonical(host(key)) == registry).map(|(_, helper)| helper);
        let shared = Some(&self.store).filter(|store| logged_in && !store.is_empty());
        own.or(shared).map(String::as_str)
    }
}

impl Entry {
    fn is_empty(&self) -> bool {
        let secrets = [&self.password, &self.auth, &self.identitytoken, &self.registrytoken];
        self.username.is_empty() && secrets.iter().all(|secret| secret.expose_secret().is_empty())
    }

    fn header(&self, key: &str) -> Option<HeaderValue> {
        let decoded = self.decoded()?;
        let (username, password) = match decoded.expose_secret().split_once(':') {
            Some(pair) => pair,
            None => (self.username.as_str(), self.password.expose_secret()),
        };
        let header = Header {
            username,
            // Some logins pad the password with zero bytes.
            password: password.trim_end_matches('\0'),
            serveraddress: key,
            identitytoken: self.identitytoken.expose_secret(),
            registrytoken: self.registrytoken.expose_secret(),
        };
        // The engine reads the URL alphabet. bollard writes the other one, which loses passwords that have a `?` or
        // `~` in the wrong place; so the header is made here.
        let mut value = HeaderValue::try_from(URL_SAFE.encode(serde_json::to_vec(&header).ok()?)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// `name:password` of `auth`, or nothing if there is no `auth`.
    fn decoded(&self) -> Option<SecretString> {
        let auth = self.auth.expose_secret();
        if auth.is_empty() {
            return Some(SecretString::default());
        }
        let text = String::from_utf8(STANDARD.decode(auth).ok()?).ok()?;
        text.contains(':').then(|| text.into())
    }
}

/// The registry an image comes from: what stands before the first slash, if it looks like a host.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => canonical(host),
        _ => HUB,
    }
}

fn canonical(host: &str) -> &str {
    if matches!(host, "index.docker.io" | "registry-1.docker.io") { HUB } else { host }
}

/// The host, with its port, in a key.
fn host(key: &str) -> &str {
    let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
