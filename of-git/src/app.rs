//! All that the handlers share.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;
use chrono::Utc;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Keys;
use crate::checks::Checks;
use crate::config::Config;
use crate::deployments::Deployments;
use crate::git::{Git, GitError};
use crate::github_app::{Registration, SLUG};
use crate::installation_token::InstallationTokens;
use crate::login::Login;
use crate::oauth::Oauth;
use crate::organisations::Organisations;
use crate::outbox::{Delivery, Outbox, Target};
use crate::owners::{Known, Owners};
use crate::payload::{Subject, account, time};
use crate::pushing::Notes;
use crate::refs;
use crate::repositories::Repositories;

/// The git host's parts.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    pub(crate) github_app: Option<Registration>,
    pub(crate) git: Git,
    pub(crate) repositories: Repositories,
    pub(crate) owners: Owners,
    pub(crate) organisations: Organisations,
    pub(crate) login: Login,
    pub(crate) oauth: Option<Oauth>,
    pub(crate) notes: Notes,
    pub(crate) outbox: Outbox,
    pub(crate) checks: Checks,
    pub(crate) deployments: Deployments,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
}

impl App {
    /// Opens everything in the data directory.
    pub(crate) async fn open(config: Config, shutdown: CancellationToken) -> anyhow::Result<Self> {
        // Git is started inside of repositories, so a relative path would mean something else there.
        let data = std::path::absolute(&config.data).context("git_data_path is no usable path")?;
        let home = data.join("home");
        private_folder(&data)
            .and_then(|()| private_folder(&home))
            .with_context(|| format!("could not make the data directory {}", data.display()))?;
        let git = Git::new(config.git.clone(), home, config.max_push_bytes, config.max_processes);
        git.ask(&data, &["version"]).await.context("git is needed to host repositories; install it")?;
        let repositories = Repositories::open(&data, &git).await.context("could not open the repositories")?;
        let tasks = TaskTracker::new();
        let target = Target {
            url: config.webhook_url.clone(),
            secret: config.webhook_secret.clone(),
            first_retry: config.first_retry,
        };
        let keys = Keys {
            token_key: config.token_key.clone(),
            platform_token: config.platform_token.clone(),
            installation_tokens: InstallationTokens::new(&config.token_key),
        };
        let github_app = config.github_app.as_ref().map(Registration::new).transpose();
        Ok(Self {
            keys,
            github_app: github_app.context("github-app-public-key is no public RSA key in PEM")?,
            git,
            repositories,
            owners: Owners::open(data.join("owners.json"), config.customers_path.clone())
                .context("could not open the register of owners")?,
            organisations: Organisations::at(&data),
            login: Login::open(data.join("spent"), &config.token_key, &config.public_url, config.home_url.clone())
                .context("could not open the list of used links")?,
            oauth: config.client.clone().map(Oauth::new),
            notes: Notes::open(data.join("pushing")).context("could not open the notes of pushes")?,
            outbox: Outbox::open(data.join("deliveries"), target, tasks.clone(), shutdown.clone())
                .context("could not open the outbox of webhooks")?,
            checks: Checks::open(data.join("checks")).context("could not open the check runs")?,
            deployments: Deployments::open(data.join("deployments")).context("could not open the deployments")?,
            tasks,
            shutdown,
            config,
        })
    }
}

impl App {
    /// All that webhooks and answers say about a repository.
    pub(crate) async fn subject(&self, known: Known) -> Result<Subject, GitError> {
        let folder = self.repositories.folder(&known.path);
        let default_branch = refs::head_branch(&self.git, &folder).await?;
        Ok(self.subject_of(known, default_branch))
    }

    /// The same where the default branch is known.
    pub(crate) fn subject_of(&self, known: Known, default_branch: String) -> Subject {
        let host = self.config.public_url.host_str().unwrap_or("localhost").to_owned();
        Subject { base: self.config.public_base().to_owned(), host, known, default_branch, now: Utc::now() }
    }

    /// Sends the platform a webhook about a repository, if the App is installed for it. It is on disk when this returns.
    pub(crate) async fn tell(&self, known: &Known, event: &str, body: &Value) -> std::io::Result<()> {
        if known.installed {
            self.outbox.add(vec![Delivery::new(event, body)]).await?;
        }
        Ok(())
    }

    /// The App's number; 0 where there is none.
    pub(crate) fn app_id(&self) -> u64 {
        self.github_app.as_ref().map_or(0, |app| app.id)
    }

    /// The App in GitHub's form, as the property of who was here first; null where there is none.
    pub(crate) fn app_shown(&self) -> Value {
        let Some(app) = &self.github_app else { return Value::Null };
        let base = self.config.public_base();
        let first = self.owners.installations().into_iter().next();
        let owner = first.as_ref().map_or(Value::Null, |first| account(base, &first.owner, first.id));
        app.shown(base, &owner, &first.map(|first| time(first.created_at)).unwrap_or_default())
    }

    /// The account under which the App does things.
    pub(crate) fn bot_shown(&self) -> Value {
        let base = self.config.public_base();
        let mut bot = SLUG.parse().map_or(Value::Null, |login| account(base, &login, 0));
        if bot.is_object() {
            bot["login"] = format!("{SLUG}[bot]").into();
            bot["type"] = "Bot".into();
        }
        bot
    }
}

/// Repositories are nobody else's business on this machine.
fn private_folder(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
