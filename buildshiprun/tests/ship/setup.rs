//! The function, a builder, a gateway, and orders for them.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use sdk::deploy::{DeployOrder, NotShipped, ORDER_ENTRY, OrderImage, Settings};
use sdk::event::PushEvent;
use sdk::fake_gateway::{FakeGateway, PAYLOAD_SECRET};
use sdk::gateway::FunctionStatus;
use sdk::labels;
use sdk::pipeline_log::LogPart;
use sdk::signing::Key;
use tower::ServiceExt;

use crate::builder::{FakeBuilder, SECRET};

pub(crate) struct Setup {
    pub(crate) gateway: FakeGateway,
    pub(crate) builder: FakeBuilder,
    pub(crate) router: Router,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) async fn setup() -> Setup {
    setup_with(&[]).await
}

#[expect(clippy::unwrap_used, reason = "test helper")]
pub(crate) async fn setup_with(vars: &[(&str, &str)]) -> Setup {
    let (gateway, builder) = (FakeGateway::start().await, FakeBuilder::default());
    let folder = tempfile::tempdir().unwrap();
    let customers = folder.path().join("customers");
    std::fs::write(&customers, "alice\nbob\n").unwrap();
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    let url = builder.start().await;
    let own = [
        ("builder_url", url.as_str()),
        ("customers_path", customers.to_str().unwrap()),
        ("spool_directory", spool.to_str().unwrap()),
        ("ready_timeout", "2s"),
    ];
    let all: Vec<_> =
        own.iter().filter(|(name, _)| vars.iter().all(|(other, _)| other != name)).chain(vars).copied().collect();
    let router = buildshiprun::router(&gateway.env(&all, &[("builder-payload-secret", SECRET)])).unwrap();
    Setup { gateway, builder, router, folder }
}

#[expect(clippy::unwrap_used, reason = "test helper")]
pub(crate) fn order() -> DeployOrder {
    DeployOrder {
        event: PushEvent {
            scm: sdk::event::Scm::Github,
            host: "git.localhost".to_owned(),
            owner: "alice".parse().unwrap(),
            owner_id: 7,
            repo: "hello".parse().unwrap(),
            repo_id: 9,
            path: None,
            private: false,
            branch: "main".to_owned(),
            default_branch: "main".to_owned(),
            sha: "6113728f27ae82c7b1a177c8d03f9e96e0adf246".parse().unwrap(),
            html_url: "http://git.localhost/alice/hello".to_owned(),
            installation: 0,
            pusher: "alice".to_owned(),
            pinned: false,
            asked_at: None,
            rebuild: false,
            restart: Vec::new(),
        },
        function: "greet".parse().unwrap(),
        image: OrderImage::Build("alice/hello-greet:0".to_owned()),
        build_digest: "b".repeat(40),
        deploy_digest: "d".repeat(40),
        settings: Settings::default(),
    }
}

/// The bytes after the order.
#[expect(clippy::unwrap_used, reason = "test helper")]
pub(crate) fn context() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, "com.openfaas.docker.config", br#"{"image":"alice/hello-greet:0"}"#);
    append(&mut tar, "context/Dockerfile", b"FROM debian\n");
    tar.into_inner().unwrap()
}

/// An order's entry and what follows, as git-tar sends them.
#[expect(clippy::unwrap_used, reason = "test helper")]
pub(crate) fn parcel(order: &DeployOrder) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, ORDER_ENTRY, &serde_json::to_vec(order).unwrap());
    let mut bytes = tar.get_ref().clone();
    bytes.extend_from_slice(&context());
    bytes
}

#[expect(clippy::unwrap_used, reason = "test helper")]
pub(crate) fn append(tar: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, content).unwrap();
}

/// A function that somebody deployed before.
pub(crate) fn deployed(owner_id: &str, repo: &str) -> FunctionStatus {
    let labels = [
        (labels::GIT_CLOUD, "1"),
        (labels::GIT_SCM, "git.localhost"),
        (labels::GIT_OWNER_ID, owner_id),
        (labels::GIT_REPO, repo),
    ];
    FunctionStatus {
        name: "alice-greet".to_owned(),
        image: "former@sha256:0".to_owned(),
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..FunctionStatus::default()
    }
}

impl Setup {
    pub(crate) async fn ship(&self, order: &DeployOrder) -> (StatusCode, String) {
        self.send(signed(parcel(order))).await
    }

    /// The answer to an order that is refused or fails.
    #[expect(clippy::unwrap_used, reason = "test helper")]
    pub(crate) async fn refused(&self, order: &DeployOrder) -> (StatusCode, NotShipped) {
        let (status, text) = self.answer(signed(parcel(order))).await;
        assert!(!status.is_success(), "{text}");
        (status, serde_json::from_str(&text).unwrap())
    }

    /// The answer: of one that is not success the sentence.
    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let (status, text) = self.answer(request).await;
        match serde_json::from_str::<NotShipped>(&text) {
            Ok(refused) if !status.is_success() => (status, refused.error),
            _ => (status, text),
        }
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    async fn answer(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        assert!(self.spool_is_empty());
        (status, String::from_utf8(text.to_vec()).unwrap())
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    fn spool_is_empty(&self) -> bool {
        std::fs::read_dir(self.folder.path().join("spool")).unwrap().next().is_none()
    }

    /// The whole log, once its last part is there.
    pub(crate) async fn log(&self) -> String {
        let ended = |messages: &[sdk::fake_gateway::Message]| messages.last().is_some_and(|m| m.read::<LogPart>().last);
        let parts = self.gateway.messages_when("pipeline-log", ended).await;
        let parts: Vec<LogPart> = parts.iter().map(sdk::fake_gateway::Message::read).collect();
        assert!(parts.iter().enumerate().all(|(at, part)| part.part as usize == at), "{parts:?}");
        parts.into_iter().map(|part| part.text).collect()
    }

    pub(crate) fn audits(&self) -> Vec<String> {
        let messages = self.gateway.messages("audit-event");
        messages.iter().map(|message| message.read::<sdk::audit::AuditEvent>().message).collect()
    }
}

#[expect(clippy::unwrap_used, reason = "test helper")]
pub(crate) fn signed(body: Vec<u8>) -> Request<Body> {
    let key = Key::derive(&PAYLOAD_SECRET.into(), "buildshiprun");
    let mut request = Request::post("/").header("x-call-id", "call-1");
    for (name, value) in key.sign(&Method::POST, &body, Duration::from_secs(60)) {
        request = request.header(name, value);
    }
    request.body(body.into()).unwrap()
}
