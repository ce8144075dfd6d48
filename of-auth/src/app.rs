//! All that requests share.

use std::sync::Arc;

use anyhow::Context;
use axum::extract::FromRef;
use sdk::identity::Identity;
use sdk::signing::Key;
use session::protocol::AUTH;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::address::Addresses;
use crate::audit::{Audit, Sending};
use crate::clock::Clock;
use crate::config::Config;
use crate::issue::RoleRules;
use crate::keys::Keys;
use crate::limit::Limiter;
use crate::notices::Notices;
use crate::provider::Providers;
use crate::store::{SessionRules, Store};
use crate::tenants::Tenants;

/// of-auth's parts.
pub(crate) struct App {
    pub(crate) addresses: Addresses,
    pub(crate) token_lifetime: u64,
    pub(crate) sessions: SessionRules,
    pub(crate) roles: RoleRules,
    pub(crate) key_rotation: u64,
    pub(crate) key: Key,
    pub(crate) keys: Keys,
    pub(crate) store: Store,
    pub(crate) providers: Providers,
    pub(crate) tenants: Tenants,
    pub(crate) limiter: Limiter,
    pub(crate) notices: Notices,
    pub(crate) audit: Audit,
    pub(crate) clock: Clock,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl App {
    /// Opens the file of sessions and takes the keys from there.
    pub(crate) async fn open(config: Config, stop: CancellationToken) -> anyhow::Result<(Arc<Self>, Sending)> {
        let folder = config.data_dir.clone();
        let store = tokio::task::spawn_blocking(move || Store::open(&folder)).await??;
        let keys = Keys::open(store.clone(), config.addresses.issuer(), config.signing_key, config.clock.now());
        let keys = keys.await.context("there is no signing key")?;
        let (audit, sending) = Audit::new(config.functions);
        let app = Self {
            addresses: config.addresses,
            token_lifetime: config.token_lifetime,
            sessions: config.sessions,
            roles: config.roles,
            key_rotation: config.key_rotation,
            key: Key::derive(&config.payload_secret, AUTH),
            keys,
            store,
            providers: config.providers,
            tenants: config.tenants,
            limiter: Limiter::new(config.attempts_per_minute),
            notices: Notices::new(),
            audit,
            clock: config.clock,
            tasks: TaskTracker::new(),
            stop,
        };
        Ok((Arc::new(app), sending))
    }

    /// Forgets what is over and changes the key when it is old.
    pub(crate) async fn tend(&self) {
        let now = self.clock.now();
        if let Err(error) = self.store.sweep(now, self.sessions).await {
            tracing::error!(error = sdk::failure::chain(&error), "What is over could not be forgotten");
        }
        match self.keys.tend(now, self.key_rotation, self.sessions).await {
            Ok(false) => {}
            Ok(true) => self.audit.note("", "A new key signs sessions from now on."),
            Err(error) => {
                tracing::error!(error = sdk::failure::chain(&error), "The signing keys could not be looked after");
            }
        }
    }
}

/// The parts, for routes whose messages are signed.
#[derive(Clone)]
pub(crate) struct Shared(pub(crate) Arc<App>);

impl FromRef<Shared> for Key {
    fn from_ref(Shared(app): &Shared) -> Self {
        app.key.clone()
    }
}

/// A person as the trail names it.
pub(crate) fn actor(who: &Identity) -> String {
    format!("{} ({})", who.login, who.subject())
}
