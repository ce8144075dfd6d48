#![doc = include_str!("../README.md")]

mod announce;
mod app;
mod app_key;
mod atomic_file;
mod auth;
mod body;
mod checks;
mod clock;
mod commands;
mod commits;
mod config;
mod cut;
mod deployments;
mod fetch;
mod files;
mod follow;
mod git;
mod github_app;
mod history;
mod installation_token;
mod lines;
mod login;
mod oauth;
mod organisations;
mod outbox;
mod owners;
mod parameters;
mod payload;
mod pktline;
pub mod plain;
mod push;
mod pushing;
mod random;
mod refs;
mod reply;
mod repositories;
mod rest;
mod seal;
mod smart;
mod token;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use app_key::{AppKeyError, generate as generate_app_key, public_half as public_app_key};
pub use config::{Config, Secrets};
pub use github_app::GithubApp;
pub use login::{LINK_SECONDS, login_link};
pub use oauth::Client;
pub use organisations::{Memberships, Organisations, Role, UnknownRole};
pub use token::token;

use app::App;

/// How long pushes and fetches may take to end after the stop was asked for.
const DRAIN: Duration = Duration::from_secs(20);
/// The largest form of the pages, in bytes.
const MAX_FORM: usize = 4096;

/// A git host whose data directory is open: the register of owners and the tenant list are as they should be.
#[derive(Debug)]
pub struct Host(Arc<App>);

impl Host {
    /// Opens the data directory. [`Host::serve`] serves until `shutdown` is cancelled.
    ///
    /// # Errors
    /// When the data directory cannot be used or git is missing.
    pub async fn open(config: Config, shutdown: CancellationToken) -> anyhow::Result<Self> {
        let app = App::open(config, shutdown).await?;
        if let Some(owner) = app.config.first_owner.as_ref().filter(|_| app.owners.is_empty()) {
            app.owners.register_owner(owner).await.context("could not register the first owner")?;
        }
        Ok(Self(Arc::new(app)))
    }

    /// Hosts repositories until the shutdown, then lets pushes that git is receiving come to their end.
    ///
    /// # Errors
    /// When pushes from before cannot be looked after, or the listener fails.
    pub async fn serve(self, listener: TcpListener) -> anyhow::Result<()> {
        let (app, shutdown) = (self.0.clone(), self.0.shutdown.clone());
        announce::recover(&app).await.context("could not look after pushes from before")?;
        let server =
            axum::serve(listener, routes(app.clone())).with_graceful_shutdown(shutdown.clone().cancelled_owned());
        let drained = async {
            shutdown.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            ended = server.into_future() => ended.context("the git host's listener failed")?,
            () = drained => tracing::warn!("some git clients did not end in time and are cut off"),
        }
        app.tasks.close();
        let _ = tokio::time::timeout(DRAIN, app.tasks.wait()).await;
        Ok(())
    }
}

/// Opens the data directory and serves it.
///
/// # Errors
/// As [`Host::open`] and [`Host::serve`].
pub async fn serve(config: Config, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    Host::open(config, shutdown).await?.serve(listener).await
}

/// Every address that is served.
fn routes(app: Arc<App>) -> axum::Router {
    let git = axum::Router::new()
        .route("/{owner}/{repo}/info/refs", get(smart::info_refs))
        .route("/{owner}/{repo}/git-upload-pack", post(smart::upload_pack))
        .route("/{owner}/{repo}/git-receive-pack", post(smart::receive_pack))
        .layer(DefaultBodyLimit::disable());
    let api = rest::routes().merge(oauth::api());
    let pages = login::routes().layer(DefaultBodyLimit::max(MAX_FORM));
    axum::Router::new()
        .merge(git)
        .merge(pages)
        .merge(oauth::routes())
        .nest("/api/v3", api)
        .route("/healthz", get(|| async { "OK\n" }))
        .with_state(app)
}
