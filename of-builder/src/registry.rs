//! Where finished images are pushed, and the credentials for it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use sdk::{Invalid, Reader};
use serde::Deserialize;

use crate::image_name::{ImageName, is_component, is_host};

/// Where the original keeps its registry credentials in a container.
const DEFAULT_DOCKER_CONFIG: &str = "/home/app/.docker/config.json";
const DOCKER_HUB: &str = "docker.io";

/// The registry that built images are pushed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// What every image's name must begin with; ends with a slash.
    pub prefix: String,
    /// A Docker `config.json`, read anew for each push so that rotated credentials are seen.
    pub docker_config: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error("cannot read registry credentials from {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is not a Docker config.json")]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("the entry for {host} in {path} does not hold 'auth' as base64 of user:password")]
    Auth { path: PathBuf, host: String },
    #[error(
        "{path} names a credential helper for {host}, and this builder has none: write the credentials under 'auths'"
    )]
    Helper { path: PathBuf, host: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigFile {
    #[serde(default)]
    auths: BTreeMap<String, AuthEntry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
struct AuthEntry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl Registry {
    pub(crate) fn from_reader(r: &Reader<'_>) -> Result<Option<Self>, Invalid> {
        let Some(prefix) = r.optional::<String>("registry_prefix")? else { return Ok(None) };
        let bare = prefix.trim_end_matches('/');
        let (host, path) = bare.split_once('/').map_or((bare, None), |(host, path)| (host, Some(path)));
        // Without a dot or a port the engine takes the first part for a folder on Docker Hub.
        let names_host = host.contains(['.', ':']) || host == "localhost";
        if !names_host || !is_host(host) || !path.is_none_or(|path| path.split('/').all(is_component)) {
            let why = format!("'{prefix}' is not of the form registry[:port]/path in lower case");
            return Err(r.invalid("registry_prefix", why));
        }
        let docker_config = match r.optional::<PathBuf>("docker_config")? {
            Some(path) if !path.is_file() => {
                return Err(r.invalid("docker_config", format!("'{}' is not a file", path.display())));
            }
            Some(path) => path,
            None => PathBuf::from(DEFAULT_DOCKER_CONFIG),
        };
        Ok(Some(Self { prefix: format!("{bare}/"), docker_config }))
    }

    pub(crate) fn holds(&self, image: &ImageName) -> bool {
        image.repository().starts_with(&self.prefix)
    }

    /// The credentials for the image's registry, if the file has any.
    pub(crate) async fn credentials(&self, image: &ImageName) -> Result<Option<DockerCredentials>, CredentialsError> {
        let path = &self.docker_config;
        let text = match tokio::fs::read(path).await {
            Ok(text) => text,
            // The default place is allowed to be empty: a registry of one's own may need no credentials.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CredentialsError::Read { path: path.clone(), source }),
        };
        let file: ConfigFile =
            serde_json::from_slice(&text).map_err(|source| CredentialsError::Json { path: path.clone(), source })?;
        self.choose(file, image.host().unwrap_or(DOCKER_HUB))
    }

    fn choose(&self, file: ConfigFile, host: &str) -> Result<Option<DockerCredentials>, CredentialsError> {
        let (path, host_owned) = (self.docker_config.clone(), host.to_owned());
        let helped = file.cred_helpers.keys().any(|key| server(key) == host) || file.creds_store.is_some();
        match file.auths.into_iter().find(|(key, _)| server(key) == host) {
            Some((_, entry)) if !entry.is_empty() => {
                entry.credentials(host).ok_or(CredentialsError::Auth { path, host: host_owned }).map(Some)
            }
            _ if helped => Err(CredentialsError::Helper { path, host: host_owned }),
            _ => Ok(None),
        }
    }
}

impl AuthEntry {
    fn is_empty(&self) -> bool {
        self.auth.is_none() && self.username.is_none() && self.identitytoken.is_none()
    }

    fn credentials(self, host: &str) -> Option<DockerCredentials> {
        let (username, password) = match self.auth.filter(|auth| !auth.is_empty()) {
            Some(auth) => {
                let pair = String::from_utf8(STANDARD.decode(auth).ok()?).ok()?;
                let (username, password) = pair.split_once(':')?;
                (Some(username.to_owned()), Some(password.trim_end_matches('\0').to_owned()))
            }
            None => (self.username, self.password),
        };
        Some(DockerCredentials {
            username,
            password,
            identitytoken: self.identitytoken,
            serveraddress: Some(host.to_owned()),
            ..DockerCredentials::default()
        })
    }
}

/// `https://index.docker.io/v1/` and `docker.io` are the same server to a Docker config.
fn server(key: &str) -> &str {
    let bare = key.trim_start_matches("https://").trim_start_matches("http://");
    match bare.split('/').next().unwrap_or(bare) {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        host => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(json: &str, host: &str) -> Result<Option<DockerCredentials>, CredentialsError> {
        let registry = Registry { prefix: format!("{host}/"), docker_config: PathBuf::from("config.json") };
        registry.choose(serde_json::from_str(json).unwrap(), host)
    }

    #[test]
    fn the_entry_of_the_registry_is_found_by_its_host() {
        let json = r#"{"auths":{"https://r.local:5000/v2/":{"auth":"YWxpY2U6cDpzcw=="},"other":{"auth":"eDp5"}}}"#;
        let found = choose(json, "r.local:5000").unwrap().unwrap();
        assert_eq!(found.username.as_deref(), Some("alice"));
        assert_eq!(found.password.as_deref(), Some("p:ss"));
        assert_eq!(choose(json, "elsewhere").unwrap(), None);
    }

    #[test]
    fn docker_hub_is_found_under_its_old_name() {
        let found = choose(r#"{"auths":{"https://index.docker.io/v1/":{"username":"u","password":"p"}}}"#, "docker.io");
        assert_eq!(found.unwrap().unwrap().username.as_deref(), Some("u"));
    }

    #[test]
    fn a_helper_and_a_broken_entry_are_said_plainly() {
        let error = choose(r#"{"auths":{"r.local":{}},"credsStore":"desktop"}"#, "r.local").unwrap_err();
        insta::assert_snapshot!(error, @"config.json names a credential helper for r.local, and this builder has none: write the credentials under 'auths'");
        let error = choose(r#"{"auths":{"r.local":{"auth":"%%"}}}"#, "r.local").unwrap_err();
        insta::assert_snapshot!(error, @"the entry for r.local in config.json does not hold 'auth' as base64 of user:password");
    }
}
