//! Which host a command means, and by which credentials it speaks with it.

use std::path::{Path, PathBuf};

use clap::Args;
use github_app::{Api, App, Client};
use sdk::id::{Owner, OwnerId, RepoPath};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::Repository;
use crate::data_dir::DataDir;
use crate::instance::Record;
use crate::locate::Which;
use crate::report::Trouble;
use crate::secrets::{FOREIGN_APP_KEY, GIT_TOKEN_KEY, GITHUB_APP_ID, GITHUB_APP_KEY, Secrets};

const GITHUB: &str = "https://api.github.com";

/// GitHub's App, in the place of that of the platform that runs here.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "At GitHub, and not at the platform that runs here")]
pub(crate) struct AtGithub {
    /// The number or client id of the GitHub App
    #[arg(long, value_name = "ID", env = "OFC_GITHUB_APP_ID", hide_env_values = true, requires = "key_file")]
    app_id: Option<String>,
    /// The App's private key, as GitHub gives it
    #[arg(long, value_name = "FILE", env = "OFC_GITHUB_KEY_FILE", hide_env_values = true, requires = "app_id")]
    key_file: Option<PathBuf>,
    #[arg(long, value_name = "URL", env = "OFC_GITHUB_API_URL", hide_env_values = true)]
    #[arg(help = "GitHub's REST API; of GitHub Enterprise https://HOST/api/v3 [default: https://api.github.com]")]
    api_url: Option<Url>,
}

/// The same, or a person's token.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "At GitHub, and not at the platform that runs here")]
pub(crate) struct AsSomebody {
    #[command(flatten)]
    app: AtGithub,
    /// A file with a person's token at GitHub, in the place of the App
    #[arg(long, value_name = "FILE", env = "OFC_GITHUB_TOKEN_FILE", hide_env_values = true, conflicts_with = "app_id")]
    token_file: Option<PathBuf>,
}

impl AtGithub {
    /// The App: GitHub's, where the options say so, or that of the platform that runs here.
    ///
    /// # Errors
    /// When no platform runs, or the App's key cannot be used.
    pub(crate) fn app(&self, which: &Which) -> anyhow::Result<App> {
        if let Some(app) = self.named()? {
            return Ok(app);
        }
        let (data, record) = which.running()?;
        local_app(&data, &record)
    }

    fn named(&self) -> anyhow::Result<Option<App>> {
        let (Some(id), Some(file)) = (&self.app_id, &self.key_file) else { return Ok(None) };
        let pem = read(file, "--key-file")?;
        let app = App::new(self.api()?, id.trim(), &pem);
        app.map(Some).map_err(|cause| {
            Trouble::new(format!("the App's key {} cannot be used", file.display()))
                .hint("it has to be the RSA key in PEM form that GitHub gave for the App")
                .because(cause)
                .into()
        })
    }

    fn api(&self) -> anyhow::Result<Api> {
        let url = match &self.api_url {
            Some(url) => url.clone(),
            None => GITHUB.parse()?,
        };
        expect_private(&url)?;
        Ok(Api::new(url))
    }
}

impl AsSomebody {
    /// A repository at GitHub, or at the platform that runs here.
    ///
    /// # Errors
    /// When no platform runs, a key or token cannot be used, or the App is not installed for the repository.
    pub(crate) async fn repository(&self, which: &Which, path: &RepoPath) -> anyhow::Result<Repository> {
        if let Some(app) = self.app.named()? {
            return Repository::of_app(app, path).await;
        }
        if let Some(file) = &self.token_file {
            let token = read(file, "--token-file")?.expose_secret().trim().to_owned();
            return Ok(Repository::of_token(Client::with_token(self.app.api()?, token.into()), path));
        }
        let (data, record) = which.running()?;
        Ok(Repository::of_token(local_owner(&data, &record, &path.owner)?, path))
    }

    /// True if it is not about the platform that runs here.
    pub(crate) fn is_at_github(&self) -> bool {
        self.is_app() || self.token_file.is_some()
    }

    /// True if the App would speak. GitHub's App tells others how deployments go; it asks for none.
    pub(crate) fn is_app(&self) -> bool {
        self.app.app_id.is_some()
    }
}

fn read(file: &Path, option: &str) -> anyhow::Result<SecretString> {
    let text = std::fs::read_to_string(file).map_err(|cause| {
        Trouble::new(format!("{} cannot be read", file.display()))
            .hint(format!("name the file that holds it: {option} FILE"))
            .because(cause)
    })?;
    Ok(text.into())
}

/// The App's token travels to this address.
fn expect_private(url: &Url) -> anyhow::Result<()> {
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_clean = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    match url.scheme() {
        "https" if is_clean && url.has_host() => Ok(()),
        "http" if is_clean && is_local => Ok(()),
        _ => Err(Trouble::usage(format!("--api-url {} is no address for a token", shown(url)))
            .hint("it has to be https://HOST or https://HOST/api/v3, without a user and a query")
            .into()),
    }
}

/// An address without what may be secret in it.
fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// The App of a platform that runs here.
///
/// # Errors
/// When its key cannot be read.
pub(crate) fn local_app(data: &DataDir, record: &Record) -> anyhow::Result<App> {
    app_of(&record.secrets(data), record)
}

/// The same with the platform's own secrets at hand.
///
/// # Errors
/// When its key cannot be used, or the platform is no App at its host.
pub(crate) fn app_of(secrets: &Secrets, record: &Record) -> anyhow::Result<App> {
    if let Some(host) = record.foreign_host() {
        let (Some(api), Some(id)) = (&host.api_url, host.app_id) else {
            let sentence = format!("this platform's repositories are at {}, where it is no GitHub App", host.url);
            return Err(Trouble::new(sentence).into());
        };
        let app = App::new(Api::new(api.parse()?), id.to_string(), &secrets.get(FOREIGN_APP_KEY)?);
        return app.map_err(|cause| {
            Trouble::new(format!("the secret {FOREIGN_APP_KEY} cannot be used"))
                .hint("it has to be the key that GitHub gave for the App")
                .because(cause)
                .into()
        });
    }
    let app = App::new(local_api(record)?, GITHUB_APP_ID.to_string(), &secrets.get(GITHUB_APP_KEY)?);
    app.map_err(|cause| {
        Trouble::new(format!("the secret {GITHUB_APP_KEY} cannot be used"))
            .hint("delete the file and start the platform again: it makes a new one")
            .because(cause)
            .into()
    })
}

/// An owner of a platform that runs here.
pub(crate) fn local_owner(data: &DataDir, record: &Record, owner: &Owner) -> anyhow::Result<Client> {
    let key = record.secrets(data).get(GIT_TOKEN_KEY)?;
    Ok(Client::with_token(local_api(record)?, of_git::token(&key, owner)))
}

/// Who owns a repository of a platform that runs here, with its own git host.
///
/// # Errors
/// When repositories are elsewhere, or there is no such one.
pub(crate) async fn own_owner(data: &DataDir, record: &Record, path: &RepoPath) -> anyhow::Result<OwnerId> {
    let repository = Repository::of_token(local_owner(data, record, &path.owner)?, path);
    Ok(OwnerId { host: format!("git.{}", record.domain), id: repository.owner_number().await? })
}

/// By address: not every resolver knows the names below the domain.
fn local_api(record: &Record) -> anyhow::Result<Api> {
    Ok(Api::new(format!("http://{}/api/v3", record.own_git()?).parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_travel_encrypted_or_not_at_all() {
        for good in [
            "https://api.github.com",
            "https://ghe.example/api/v3",
            "http://127.0.0.1:8/api/v3",
            "http://git.localhost:8000/api/v3",
        ] {
            assert!(expect_private(&good.parse().unwrap()).is_ok(), "{good}");
        }
        for bad in [
            "http://api.github.com",
            "https://user:secret@ghe.example",
            "https://ghe.example/?token=secret",
            "file:///x",
        ] {
            let text = crate::report::render(&expect_private(&bad.parse().unwrap()).unwrap_err());
            assert!(text.contains("--api-url") && !text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        let at = AtGithub { app_id: Some("7".into()), key_file: Some(file.clone()), api_url: None };
        let missing = crate::report::render(&at.named().unwrap_err());
        assert!(missing.contains("key.pem") && missing.contains("--key-file"), "{missing}");
        std::fs::write(&file, "no key").unwrap();
        let wrong = crate::report::render(&at.named().unwrap_err());
        assert!(wrong.contains("PEM") && !wrong.contains("no key\n"), "{wrong}");
        assert!(AtGithub::default().named().unwrap().is_none());
    }
}
