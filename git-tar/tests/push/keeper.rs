//! A stand-in for import-secrets that keeps what it is told: which secrets there are, and of which version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use http::StatusCode;
use sdk::fake_gateway::Message;
use sdk::secrets::{Done, ForBuild, Known, Mounted, Pruned, SecretName, SecretsRequest};
use serde::Serialize;

use crate::lab::Lab;

#[derive(Default)]
struct State {
    /// Names and versions.
    secrets: BTreeMap<SecretName, String>,
    removed: BTreeSet<SecretName>,
    in_use: BTreeMap<SecretName, Vec<String>>,
    /// The next answer, instead of one of its own.
    refusal: Option<(StatusCode, String)>,
}

#[derive(Clone, Default)]
pub(crate) struct Keeper(Arc<Mutex<State>>);

impl Keeper {
    pub(crate) fn start(lab: &Lab) -> Self {
        let keeper = Self::default();
        let own = keeper.clone();
        lab.gateway.answer_with("import-secrets", move |body| own.answer(&serde_json::from_slice(body).unwrap()));
        keeper
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A secret is there, in this version.
    pub(crate) fn has(&self, secret: &str, version: &str) {
        self.state().secrets.insert(secret.parse().unwrap(), version.to_owned());
    }

    pub(crate) fn refuses(&self, status: StatusCode, text: &str) {
        self.state().refusal = Some((status, text.to_owned()));
    }

    pub(crate) fn removes(&self, secret: &str) {
        self.state().removed.insert(secret.parse().unwrap());
    }

    pub(crate) fn is_in_use(&self, secret: &str, by: &str) {
        self.state().in_use.insert(secret.parse().unwrap(), vec![by.to_owned()]);
    }

    fn answer(&self, request: &SecretsRequest) -> (StatusCode, String) {
        if let Some(refusal) = self.state().refusal.take() {
            return refusal;
        }
        match request {
            SecretsRequest::Import(import) => {
                let keys = import.file.as_ref().map_or(0, |file| file.text.lines().count());
                let done = Done { created: usize::from(keys > 0), keys, ..Done::default() };
                json(&Known { done, ..self.known(&import.wanted) })
            }
            SecretsRequest::Look(look) => json(&self.known(&look.wanted)),
            SecretsRequest::Prune(_) => {
                let state = self.state();
                json(&Pruned { removed: state.removed.clone(), in_use: state.in_use.clone() })
            }
            SecretsRequest::SealForBuild(wish) => {
                let file = wish.wanted.keys().map(|id| format!("{id}: sealed\n")).collect();
                json(&ForBuild { file })
            }
            other => panic!("git-tar does not ask {other:?}"),
        }
    }

    fn known(&self, wanted: &BTreeSet<SecretName>) -> Known {
        let state = self.state();
        let mounted = |name: &SecretName| {
            let version = state.secrets.get(name)?.clone();
            Some((name.clone(), Mounted { version, names: vec![format!("alice-{name}.key")] }))
        };
        let found: BTreeMap<_, _> = wanted.iter().filter_map(mounted).collect();
        let missing = wanted.iter().filter(|name| !found.contains_key(*name)).cloned().collect();
        Known { found, missing, done: Done::default() }
    }
}

fn json(answer: &impl Serialize) -> (StatusCode, String) {
    (StatusCode::OK, serde_json::to_string(answer).unwrap())
}

/// What import-secrets was asked, in its order.
pub(crate) fn asked(lab: &Lab) -> Vec<SecretsRequest> {
    lab.gateway.messages("import-secrets").iter().map(Message::read).collect()
}

/// The kinds of what was asked.
pub(crate) fn kinds(lab: &Lab) -> Vec<&'static str> {
    let kind = |request: &SecretsRequest| match request {
        SecretsRequest::Import(import) if import.file.is_some() => "import a file",
        SecretsRequest::Import(_) => "import nothing",
        SecretsRequest::Look(_) => "look",
        SecretsRequest::Prune(prune) if prune.bare => "prune, bare",
        SecretsRequest::Prune(_) => "prune",
        _ => "else",
    };
    asked(lab).iter().map(kind).collect()
}
