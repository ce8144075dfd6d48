//! A cluster in memory: what is kept, under Kubernetes' rules for names, versions and generations, and what else happens in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use http::{Method, StatusCode};
use sealed_secrets::Keyring;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::setup::own_key;

/// Objects of one kind, by name.
pub(crate) type Objects = BTreeMap<String, Value>;

#[derive(Clone)]
pub(crate) struct Cluster(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    changed: Notify,
}

/// What is in the cluster.
pub(crate) struct State {
    pub(crate) sealed: Objects,
    pub(crate) secrets: Objects,
    /// Every request: method and path.
    pub(crate) log: Vec<String>,
    pub(crate) faults: Vec<Fault>,
    /// What requests must bring, where they must bring something.
    pub(crate) token: Option<String>,
    /// How often somebody else writes an object right after it was read.
    pub(crate) interferes: usize,
    /// The controller's keys.
    pub(crate) ring: Keyring,
    /// Whether the cluster answers with a `Secret` that nobody understands.
    pub(crate) garbles: bool,
    /// What the cluster says of every `Secret` that the controller would make.
    pub(crate) invalid: Option<&'static str>,
    /// Whether the controller is at work.
    pub(crate) controller: bool,
    /// Whether the controller makes a `Secret` again that was deleted.
    pub(crate) watches_secrets: bool,
    /// Whether what has no owner any more is collected.
    pub(crate) collector: bool,
    /// Questions that the controller takes before it wants a pause.
    pub(crate) questions: usize,
    counter: u64,
}

/// Requests of this kind fail, after some that do not.
pub(crate) struct Fault {
    pub(crate) method: Method,
    pub(crate) after: usize,
    pub(crate) times: usize,
    pub(crate) status: StatusCode,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let cluster = Self(Arc::new(Inner { state: Mutex::new(State::new()), changed: Notify::new() }));
        tokio::spawn({
            let cluster = cluster.clone();
            async move {
                loop {
                    cluster.0.changed.notified().await;
                    cluster.state().settle();
                }
            }
        });
        cluster
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Has everybody look who waits for a change.
    pub(crate) fn tell(&self) {
        self.0.changed.notify_one();
    }

    /// Changes something as an operator would, and has everybody look.
    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.tell();
    }

    /// Has requests fail.
    pub(crate) fn refuse(&self, method: Method, after: usize, times: usize, status: u16) {
        let status = StatusCode::from_u16(status).unwrap();
        self.state().faults.push(Fault { method, after, times, status });
    }

    pub(crate) fn sealed(&self, name: &str) -> Option<Value> {
        self.state().sealed.get(name).cloned()
    }

    pub(crate) fn names(&self) -> (Vec<String>, Vec<String>) {
        let state = self.state();
        (state.sealed.keys().cloned().collect(), state.secrets.keys().cloned().collect())
    }

    /// The values of a `Secret`, as text.
    pub(crate) fn values(&self, name: &str) -> Option<BTreeMap<String, String>> {
        use base64::Engine as _;
        let state = self.state();
        let data = state.secrets.get(name)?["data"].as_object().cloned().unwrap_or_default();
        let text = |value: &Value| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        Some(data.iter().map(|(key, value)| (key.clone(), text(value))).collect())
    }

    /// A `Secret` that somebody made.
    pub(crate) fn make_secret(&self, name: &str, annotations: Value) {
        self.change(|state| {
            let meta = json!({ "name": name, "namespace": "openfaas-fn", "annotations": annotations });
            let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": { "k": "aGFuZA==" } });
            let secret = state.new_object(secret);
            state.secrets.insert(name.to_owned(), secret);
        });
    }

    /// Requests that begin so.
    pub(crate) fn requests(&self, begin: &str) -> usize {
        self.state().log.iter().filter(|request| request.starts_with(begin)).count()
    }
}

impl State {
    fn new() -> Self {
        Self {
            sealed: Objects::new(),
            secrets: Objects::new(),
            log: Vec::new(),
            faults: Vec::new(),
            token: None,
            interferes: 0,
            ring: Keyring::from_pem(own_key().to_pem().expose_secret()).unwrap(),
            garbles: false,
            invalid: None,
            controller: true,
            watches_secrets: true,
            collector: true,
            questions: usize::MAX,
            counter: 1,
        }
    }

    pub(crate) fn next(&mut self) -> String {
        self.counter += 1;
        self.counter.to_string()
    }

    /// Gives an object what a server gives it.
    pub(crate) fn new_object(&mut self, mut object: Value) -> Value {
        let (uid, version) = (format!("uid-{}", self.next()), self.next());
        let meta = &mut object["metadata"];
        meta["uid"] = uid.into();
        meta["resourceVersion"] = version.into();
        meta["creationTimestamp"] = "2026-01-02T03:04:05Z".into();
        meta["generation"] = 1.into();
        object
    }

    /// The status that this request is to fail with, if it is to.
    pub(crate) fn fault(&mut self, method: &Method) -> Option<StatusCode> {
        let fault = self.faults.iter_mut().find(|fault| fault.method == method && fault.times > 0)?;
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        fault.times -= 1;
        Some(fault.status)
    }

    /// What the controller and the collector do.
    fn settle(&mut self) {
        if self.collector {
            let living: Vec<String> =
                self.sealed.values().map(|object| object["metadata"]["uid"].as_str().unwrap().to_owned()).collect();
            self.secrets.retain(|_, secret| {
                let owner = secret["metadata"]["ownerReferences"][0]["uid"].as_str();
                owner.is_none_or(|owner| living.iter().any(|uid| uid == owner))
            });
        }
        if self.controller {
            let names: Vec<String> = self.sealed.keys().cloned().collect();
            names.iter().for_each(|name| self.reconcile(name));
        }
    }
}
