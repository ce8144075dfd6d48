//! What every message needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sdk::audit::Auditor;
use sdk::call::Functions;
use sdk::customers::Customers;
use sdk::gateway::Gateway;
use sdk::id::Owner;
use sdk::identity::IdentityKey;
use sdk::reserved;
use sdk::secrets::{Mounted, SECRETS_FUNCTION, SecretName};
use sdk::signing::Key;

use crate::backend::Backend;
use crate::build::BuilderKey;
use crate::config::Config;
use crate::names;
use crate::problem::Problem;
use crate::public::{Cached, Callers};
use crate::record::Record;
use crate::records::Records;

/// The function's own state: it has none but what it needs to reach others. Cloning shares it.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// What an [`App`] is made of.
pub(crate) struct Parts {
    /// What messages to this function are signed with.
    pub(crate) key: Key,
    /// What the router signs callers with.
    pub(crate) identity: IdentityKey,
    pub(crate) functions: Functions,
    pub(crate) gateway: Gateway,
    pub(crate) auditor: Auditor,
    pub(crate) customers: Customers,
    pub(crate) namespace: String,
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) builder: BuilderKey,
    pub(crate) records: Records,
    pub(crate) import_timeout: Duration,
    /// People who are being served.
    pub(crate) callers: Callers,
    pub(crate) certificate: Cached,
    /// This process, told apart from all others.
    pub(crate) instance: String,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl axum::extract::FromRef<App> for Key {
    fn from_ref(app: &App) -> Self {
        app.key.clone()
    }
}

/// What is known of secrets that somebody wants.
#[derive(Debug, Default)]
pub(crate) struct Whereabouts {
    pub(crate) found: BTreeMap<SecretName, Mounted>,
    pub(crate) missing: BTreeSet<SecretName>,
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        Self(Arc::new(Parts {
            key: config.functions.key(SECRETS_FUNCTION),
            identity: config.identity,
            gateway: config.gateway,
            auditor: Auditor::new(SECRETS_FUNCTION, config.functions.clone()),
            functions: config.functions,
            customers: config.customers,
            namespace: config.namespace,
            backend: config.backend,
            builder: config.builder,
            records: config.records,
            import_timeout: config.import_timeout,
            callers: Callers::default(),
            certificate: Cached::default(),
            instance: sdk::call::CallId::random().to_string(),
        }))
    }

    /// Whether a name in the stage belongs to the platform, or to a tenant whose login is longer.
    pub(crate) fn is_claimed(&self, owner: &Owner, name: &str) -> bool {
        reserved::is_secret(name) || self.customers.other_claimant(owner, name).is_some()
    }

    /// Which of these secrets functions can have. One that would be somebody else's is neither found nor missing: whoever
    /// deploys the function refuses it, and says so.
    ///
    /// # Errors
    /// When a record of another owner's cannot be read.
    pub(crate) async fn whereabouts(
        &self,
        record: &Record,
        wanted: &BTreeSet<SecretName>,
        there: &BTreeSet<String>,
    ) -> Result<Whereabouts, Problem> {
        let mut known = Whereabouts::default();
        let mut by_hand = Vec::new();
        for secret in wanted {
            let name = names::in_stage(&record.login, secret);
            if let Some(kept) = record.secrets.get(secret) {
                match record.mounted(secret).filter(|_| kept.is_sound(there)) {
                    Some(mounted) => drop(known.found.insert(secret.clone(), mounted)),
                    None => drop(known.missing.insert(secret.clone())),
                }
            } else if self.is_claimed(&record.login, &name) {
            } else if there.contains(&name) && !record.leaving.contains(&name) {
                by_hand.push((secret.clone(), name));
            } else {
                known.missing.insert(secret.clone());
            }
        }
        if by_hand.is_empty() {
            return Ok(known);
        }
        let elsewhere = self.held_by_others(record).await?;
        for (secret, name) in by_hand {
            if elsewhere.contains(&name) {
                known.missing.insert(secret);
            } else {
                known.found.insert(secret, Mounted { version: String::new(), names: vec![name] });
            }
        }
        Ok(known)
    }

    /// All names in the stage that are other owners': a secret of theirs is not one that an operator made by hand,
    /// whatever the logins are today.
    async fn held_by_others(&self, record: &Record) -> Result<BTreeSet<String>, Problem> {
        let held = |other: Record| (other.owner != record.owner).then(|| other.held());
        Ok(self.records.pick(held).await?.into_iter().flatten().collect())
    }
}
