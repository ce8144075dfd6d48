//! A stage: the function, its keys, its records, and a gateway.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use chrono::{TimeDelta, Utc};
use http::{Request, StatusCode};
use sdk::Env;
use sdk::audit::AuditEvent;
use sdk::event::PushEvent;
use sdk::fake_gateway::{FakeGateway, Message};
use sdk::gateway::FunctionStatus;
use sdk::labels;
use sdk::secrets::{Import, Known, Look, Prune, Pruned, SealedFile, SecretName, SecretsRequest};
use sealed_secrets::{Certificate, KeyPair, seal};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tower::ServiceExt as _;

/// What functions are in.
pub(crate) const NAMESPACE: &str = "openfaas-fn";
const DEADLINE: Duration = Duration::from_secs(20);

/// A stage with its own records and the tests' own keys.
pub(crate) struct Stage {
    pub(crate) gateway: FakeGateway,
    pub(crate) router: Router,
    pub(crate) env: Env,
    folder: TempDir,
}

/// An RSA key takes its time to be made, so all tests share a few.
pub(crate) fn key(name: &str, from: chrono::DateTime<Utc>, validity: TimeDelta) -> KeyPair {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("sealing-{name}.pem"));
    if let Some(known) = std::fs::read_to_string(&path).ok().and_then(|text| KeyPair::from_pem(&text).ok()) {
        return known;
    }
    let made = KeyPair::generate(from, validity).unwrap();
    let fresh = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::write(fresh.path(), made.to_pem().expose_secret()).unwrap();
    fresh.persist(&path).unwrap();
    // Another test may have been faster.
    KeyPair::from_pem(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The key of the stage under test.
pub(crate) fn own_key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| key("own", Utc::now() - TimeDelta::days(2), TimeDelta::days(3650)))
}

/// The key of another stage.
pub(crate) fn foreign_key() -> KeyPair {
    key("foreign", Utc::now() - TimeDelta::days(2), TimeDelta::days(3650))
}

impl Stage {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A stage with more variables.
    pub(crate) async fn with(vars: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("customers"), "alice\nalice-x\nbob\nacme\n").unwrap();
        std::fs::create_dir(path("keys")).unwrap();
        std::fs::write(path("keys/1.pem"), own_key().to_pem().expose_secret()).unwrap();
        let (customers, keys, records) = (path("customers"), path("keys"), path("records"));
        let gateway = FakeGateway::start().await;
        let own = [
            ("customers_path", customers.as_str()),
            ("sealing_directory", keys.as_str()),
            ("record_directory", records.as_str()),
        ];
        let env = gateway.env(&[&own[..], vars].concat(), &[]);
        let router = import_secrets::router(&env).unwrap();
        Self { gateway, router, env, folder }
    }

    /// Another process in the place of this one.
    pub(crate) fn restart(&mut self) {
        self.router = import_secrets::router(&self.env).unwrap();
    }

    /// Adds a key.
    pub(crate) fn add_key(&self, name: &str, key: &KeyPair) {
        std::fs::write(self.folder.path().join("keys").join(name), key.to_pem().expose_secret()).unwrap();
    }

    pub(crate) fn remove_key(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join("keys").join(name)).unwrap();
    }

    /// An owner's record as it is kept.
    pub(crate) fn record(&self, owner_id: u64) -> serde_json::Value {
        let path = self.folder.path().join(format!("records/_secrets/git.localhost/{owner_id}.json"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    pub(crate) fn write_record(&self, owner_id: u64, record: &serde_json::Value) {
        let path = self.folder.path().join(format!("records/_secrets/git.localhost/{owner_id}.json"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, serde_json::to_vec(record).unwrap()).unwrap();
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 22).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    pub(crate) async fn ask(&self, message: &SecretsRequest) -> (StatusCode, String) {
        self.send(self.gateway.signed("import-secrets", message, "call-1")).await
    }

    async fn done<T: DeserializeOwned>(&self, message: &SecretsRequest) -> T {
        let (status, text) = self.ask(message).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// An import that succeeds.
    pub(crate) async fn import(&self, event: &PushEvent, file: Option<&str>, wanted: &[&str]) -> Known {
        self.done(&import(event, file, wanted)).await
    }

    /// An import that does not.
    pub(crate) async fn refused(&self, event: &PushEvent, file: &str) -> (u16, String) {
        let (status, text) = self.ask(&import(event, Some(file), &[])).await;
        assert!(!status.is_success(), "{text}");
        (status.as_u16(), text.trim().to_owned())
    }

    pub(crate) async fn look(&self, event: &PushEvent, wanted: &[&str]) -> Known {
        self.done(&SecretsRequest::Look(Look { event: event.clone(), wanted: names(wanted) })).await
    }

    pub(crate) async fn prune(&self, event: &PushEvent) -> Pruned {
        self.done(&SecretsRequest::Prune(Prune { event: event.clone(), bare: false })).await
    }

    /// What a secret of the gateway's is, as text.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.gateway.secret(name).map(|secret| String::from_utf8(secret.value).unwrap())
    }

    /// Puts a function there that a push deployed.
    pub(crate) fn deploy(&self, name: &str, event: &PushEvent, secrets: &[&str]) {
        let labels = [
            (labels::GIT_CLOUD, "1".to_owned()),
            (labels::GIT_SCM, labels::value(&event.host).into_owned()),
            (labels::GIT_OWNER, event.owner.to_string()),
            (labels::GIT_OWNER_ID, event.owner_id.to_string()),
            (labels::GIT_REPO, event.repo.to_string()),
            (labels::GIT_REPO_ID, event.repo_id.to_string()),
        ];
        self.gateway.put_function(FunctionStatus {
            name: format!("{}-{name}", event.owner),
            labels: labels.map(|(label, value)| (label.to_owned(), value)).into(),
            secrets: secrets.iter().map(|secret| (*secret).to_owned()).collect(),
            ..FunctionStatus::default()
        });
    }

    /// What git-tar was sent so far.
    pub(crate) fn pushes(&self) -> Vec<PushEvent> {
        self.gateway.messages("git-tar").iter().map(Message::read).collect()
    }

    /// What the audit trail was sent so far.
    pub(crate) fn trail(&self) -> Vec<String> {
        self.gateway.messages("audit-event").iter().map(|message| message.read::<AuditEvent>().message).collect()
    }
}

pub(crate) fn import(event: &PushEvent, file: Option<&str>, wanted: &[&str]) -> SecretsRequest {
    let file = file.map(|text| SealedFile { name: "secrets.yml".to_owned(), text: text.to_owned() });
    SecretsRequest::Import(Import { event: event.clone(), file, wanted: names(wanted) })
}

pub(crate) fn names(names: &[&str]) -> BTreeSet<SecretName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

pub(crate) fn name(name: &str) -> SecretName {
    name.parse().unwrap()
}

/// A push to an owner's repository. Numbers follow from names.
pub(crate) fn push(owner: &str, repo: &str) -> PushEvent {
    let number = |text: &str| text.bytes().fold(1, |sum: u64, b| (sum * 31 + u64::from(b)) % 1_000_003);
    serde_json::from_value(serde_json::json!({
        "host": "git.localhost", "owner": owner, "owner_id": number(owner), "repo": repo,
        "repo_id": number(&format!("{owner}/{repo}")), "private": false, "branch": "main", "default_branch": "main",
        "sha": "a".repeat(40), "html_url": "", "installation": 0, "pusher": owner,
    }))
    .unwrap()
}

/// A document, sealed for the stage under test.
pub(crate) fn sealed(name: &str, values: &[(&str, &str)]) -> String {
    sealed_to(own_key().certificate(), NAMESPACE, name, values)
}

/// A document, sealed to any certificate for any namespace.
pub(crate) fn sealed_to(certificate: &Certificate, namespace: &str, name: &str, values: &[(&str, &str)]) -> String {
    let values = values.iter().map(|(key, value)| {
        let value = seal(certificate, namespace, name, value.as_bytes()).unwrap();
        (*key, value)
    });
    document(namespace, name, &values.collect::<Vec<_>>())
}

/// A document of values that are sealed already.
pub(crate) fn document(namespace: &str, name: &str, sealed: &[(&str, String)]) -> String {
    let values: String = sealed.iter().map(|(key, value)| format!("    {key:?}: {value:?}\n")).collect();
    format!(
        "---\napiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: {name}\n  namespace: {namespace}\n\
         spec:\n  encryptedData:\n{values}  template:\n    metadata:\n      name: {name}\n      namespace: {namespace}\n"
    )
}

/// Waits for something that happens elsewhere.
pub(crate) async fn until(what: &str, happened: impl Fn() -> bool) {
    let waiting = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, waiting).await.is_ok(), "{what} did not happen");
}
