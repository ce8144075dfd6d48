//! All that the handlers share.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Keys;
use crate::checks::Checks;
use crate::config::Config;
use crate::git::Git;
use crate::login::Login;
use crate::oauth::Oauth;
use crate::organisations::Organisations;
use crate::outbox::{Outbox, Target};
use crate::owners::Owners;
use crate::pushing::Notes;
use crate::repositories::Repositories;

/// The git host's parts.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    pub(crate) git: Git,
    pub(crate) repositories: Repositories,
    pub(crate) owners: Owners,
    pub(crate) organisations: Organisations,
    pub(crate) login: Login,
    pub(crate) oauth: Option<Oauth>,
    pub(crate) notes: Notes,
    pub(crate) outbox: Outbox,
    pub(crate) checks: Checks,
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
        let keys = Keys { token_key: config.token_key.clone(), platform_token: config.platform_token.clone() };
        Ok(Self {
            keys,
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
            tasks,
            shutdown,
            config,
        })
    }
}

/// Repositories are nobody else's business on this machine.
fn private_folder(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
