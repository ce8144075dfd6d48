//! What of-git is told at its start.

use std::path::PathBuf;
use std::time::Duration;

use sdk::id::Owner;
use sdk::{ConfigError, Env, Invalid, Reader};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::github_app::GithubApp;
use crate::oauth::Client;

/// The largest push when nothing else is said, in bytes.
const MAX_PUSH: u64 = 512 * 1024 * 1024;
/// How many git processes may run at the same time when nothing else is said.
const MAX_PROCESSES: usize = 16;
/// How long a pusher is shown the pipeline when nothing else is said.
const FOLLOW: Duration = Duration::from_secs(15 * 60);
/// How long receiving one push may take when nothing else is said.
const PUSH: Duration = Duration::from_secs(10 * 60);
/// A packet is sent this often while there is nothing to say, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// The wait before a webhook is tried a second time; it doubles from there.
const FIRST_RETRY: Duration = Duration::from_millis(500);

/// The configuration of the git host.
#[derive(Debug, Clone)]
pub struct Config {
    /// `git_data_path`: the directory that holds repositories, owners, check runs and unsent webhooks.
    pub data: PathBuf,
    /// `git_public_url`: where users reach this host, for example `http://git.localhost:8000`.
    pub public_url: Url,
    /// `webhook_url`: where push webhooks go.
    pub webhook_url: Url,
    /// Secret `github-webhook-secret`: signs the webhooks.
    pub webhook_secret: SecretString,
    /// Secret `git-token-key`: every owner's token is derived from it, see [`crate::token`].
    pub token_key: SecretString,
    /// Secret `git-platform-token`: reads every repository (as user `x-access-token`) and reports checks (as bearer), where
    /// there is no App.
    pub platform_token: Option<SecretString>,
    /// The App as whom the platform reads and reports: `github_app_id`, secret `github-app-public-key`; both or none.
    pub github_app: Option<GithubApp>,
    /// `customers_path`: the tenant list that a new owner's login is added to.
    pub customers_path: Option<PathBuf>,
    /// The client that signs people in here: `oauth_client_id`, `oauth_redirect_uri`, secret `of-client-secret`; all or none.
    pub client: Option<Client>,
    /// `first_owner`: gets the number 1 where nobody has a number yet.
    pub first_owner: Option<Owner>,
    /// `home_url`: where somebody goes who has signed in for nothing in particular.
    pub home_url: Option<Url>,
    /// `git_program`: the git to run.
    pub git: PathBuf,
    /// `max_push_bytes`: the largest pack that is taken.
    pub max_push_bytes: u64,
    /// `max_git_processes`: how many pushes and fetches may run at the same time.
    pub max_processes: usize,
    /// `push_timeout`: how long receiving one push may take.
    pub push_timeout: Duration,
    /// `follow_timeout`: how long a pusher is shown the pipeline.
    pub follow_timeout: Duration,
    /// How often a waiting pusher gets an empty packet.
    pub keep_alive: Duration,
    /// The wait before a webhook is tried a second time.
    pub first_retry: Duration,
}

/// The secrets of the git host.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// Signs the webhooks.
    pub webhook: SecretString,
    /// Owners' tokens are derived from it.
    pub token_key: SecretString,
}

impl Config {
    /// A configuration with the usual limits.
    pub fn new(data: PathBuf, public_url: Url, webhook_url: Url, secrets: Secrets) -> Self {
        Self {
            data,
            public_url,
            webhook_url,
            webhook_secret: secrets.webhook,
            token_key: secrets.token_key,
            platform_token: None,
            github_app: None,
            customers_path: None,
            client: None,
            first_owner: None,
            home_url: None,
            git: PathBuf::from("git"),
            max_push_bytes: MAX_PUSH,
            max_processes: MAX_PROCESSES,
            push_timeout: PUSH,
            follow_timeout: FOLLOW,
            keep_alive: KEEP_ALIVE,
            first_retry: FIRST_RETRY,
        }
    }

    /// Reads the configuration from variables and secrets.
    ///
    /// # Errors
    /// Names every variable and secret that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let reader = env.reader();
        let data = reader.required::<PathBuf>("git_data_path");
        let public_url = reader.required::<Url>("git_public_url");
        let webhook_url = reader.required::<Url>("webhook_url");
        let customers_path = reader.optional::<PathBuf>("customers_path");
        let github_app = read_app(&reader);
        let client = read_client(&reader);
        let first_owner = reader.optional::<Owner>("first_owner");
        let home_url = reader.optional::<Url>("home_url");
        let git = reader.or::<PathBuf>("git_program", PathBuf::from("git"));
        let max_push_bytes = reader.or("max_push_bytes", MAX_PUSH);
        let max_processes = reader.or("max_git_processes", MAX_PROCESSES);
        let push_timeout = reader.duration_or("push_timeout", PUSH);
        let follow_timeout = reader.duration_or("follow_timeout", FOLLOW);
        let webhook = reader.secret("github-webhook-secret");
        let token_key = reader.secret("git-token-key");
        let platform_token = reader.optional_secret("git-platform-token");
        if platform_token.is_none() && matches!(github_app, Ok(None)) {
            // Nobody could read or report: that is no host for a platform.
            let _ = reader.invalid("github_app_id", "is needed, or the secret git-platform-token");
        }
        reader.finish()?;
        let secrets = Secrets { webhook: webhook?, token_key: token_key? };
        Ok(Self {
            platform_token,
            github_app: github_app?,
            customers_path: customers_path?,
            client: client?,
            first_owner: first_owner?,
            home_url: home_url?,
            git: git?,
            max_push_bytes: max_push_bytes?,
            max_processes: max_processes?,
            push_timeout: push_timeout?,
            follow_timeout: follow_timeout?,
            ..Self::new(data?, public_url?, webhook_url?, secrets)
        })
    }

    /// The public address without a slash at its end.
    pub(crate) fn public_base(&self) -> &str {
        self.public_url.as_str().trim_end_matches('/')
    }
}

/// The App, of which half is no App.
fn read_app(reader: &Reader<'_>) -> Result<Option<GithubApp>, Invalid> {
    match (reader.optional::<u64>("github_app_id")?, reader.optional_secret("github-app-public-key")) {
        (None, None) => Ok(None),
        (Some(id), Some(key)) => Ok(Some(GithubApp { id, public_key: key.expose_secret().to_owned() })),
        (Some(_), None) => Err(reader.invalid("github-app-public-key", "is needed with github_app_id")),
        (None, Some(_)) => Err(reader.invalid("github_app_id", "is needed with github-app-public-key")),
    }
}

/// The client, of which half is as wrong as a redirect address that is none.
fn read_client(reader: &Reader<'_>) -> Result<Option<Client>, Invalid> {
    let (id, redirect_uri) =
        (reader.optional::<String>("oauth_client_id")?, reader.optional::<Url>("oauth_redirect_uri")?);
    match (id, redirect_uri) {
        (None, None) => Ok(None),
        (Some(id), Some(url)) if matches!(url.scheme(), "http" | "https") && url.fragment().is_none() => {
            Ok(Some(Client { id, secret: reader.secret("of-client-secret")?, redirect_uri: url.into() }))
        }
        (Some(_), Some(_)) => {
            Err(reader.invalid("oauth_redirect_uri", "has to begin with http:// or https:// and have no #"))
        }
        (Some(_), None) => Err(reader.invalid("oauth_redirect_uri", "is needed with oauth_client_id")),
        (None, Some(_)) => Err(reader.invalid("oauth_client_id", "is needed with oauth_redirect_uri")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        let nothing: [(&str, &str); 0] = [];
        let error = Config::from_env(&Env::from_map([("max_push_bytes", "many")], nothing)).unwrap_err();
        let text = error.to_string();
        for name in
            ["git_data_path", "git_public_url", "webhook_url", "max_push_bytes", "git-token-key", "github_app_id"]
        {
            assert!(text.contains(name), "{name} is not in: {text}");
        }
    }

    #[test]
    fn a_client_is_whole_or_none() {
        let base = [("git_data_path", "/d"), ("git_public_url", "http://git.localhost"), ("webhook_url", "http://w")];
        let secrets = ["github-webhook-secret", "git-token-key", "git-platform-token", "of-client-secret"];
        let read = |more: &[(&str, &str)], count| {
            let vars: Vec<_> = base.iter().chain(more).copied().collect();
            Config::from_env(&Env::from_map(vars, secrets[..count].iter().map(|name| (*name, "s"))))
        };
        let (id, uri) = (("oauth_client_id", "ofc"), ("oauth_redirect_uri", "http://auth/oauth2/authorized"));
        assert!(read(&[], 3).unwrap().client.is_none());
        assert_eq!(read(&[id, uri], 4).unwrap().client.unwrap().redirect_uri, uri.1);
        for (more, count, named) in [
            (&[id][..], 4, "oauth_redirect_uri"),
            (&[uri], 4, "oauth_client_id"),
            (&[id, uri], 3, "of-client-secret"),
            (&[id, ("oauth_redirect_uri", "ftp://x/")], 4, "oauth_redirect_uri"),
        ] {
            let error = read(more, count).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let secrets = Secrets { webhook: "hook-secret".into(), token_key: "master-secret".into() };
        let url = Url::parse("http://git.localhost:8000").unwrap();
        let mut config = Config::new(PathBuf::from("/d"), url.clone(), url, secrets);
        config.platform_token = Some("platform-secret".into());
        let shown = format!("{config:?}");
        assert!(!shown.contains("-secret\""), "{shown}");
        assert_eq!(config.public_base(), "http://git.localhost:8000");
    }
}
