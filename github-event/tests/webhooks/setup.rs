//! The function, and a gateway that keeps what it is sent.

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use sdk::audit::AuditEvent;
use sdk::event::PushEvent;
use sdk::fake_gateway::{FakeGateway, Message};
use sdk::garbage::GarbageRequest;
use sdk::signing::sha256_header;
use tower::ServiceExt;

pub(crate) const PUSH: &str = include_str!("../data/push.json");
/// GitHub's documentation shows it: made on 25 April 2014 at 12:52:24 UTC.
pub(crate) const DELIVERY: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

pub(crate) struct Setup {
    pub(crate) gateway: FakeGateway,
    pub(crate) router: Router,
    folder: tempfile::TempDir,
}

/// With the owners of GitHub's samples as tenants.
#[expect(clippy::unwrap_used, reason = "test helper")]
pub(crate) async fn setup(vars: &[(&str, &str)]) -> Setup {
    let gateway = FakeGateway::start().await;
    let folder = tempfile::tempdir().unwrap();
    let customers = folder.path().join("customers");
    std::fs::write(&customers, "Codertocat\nOctocoders\ngithub\ngit\n").unwrap();
    let mut vars = vars.to_vec();
    vars.push(("customers_path", customers.to_str().unwrap()));
    let secrets = [("github-webhook-secret", "now"), ("github-webhook-secret-next", "next")];
    let router = github_event::router(&gateway.env(&vars, &secrets)).unwrap();
    Setup { gateway, router, folder }
}

pub(crate) fn signed(event: &str, body: &str, secret: &str) -> http::request::Builder {
    let signature = sha256_header(&secret.into(), body.as_bytes());
    Request::post("/")
        .header("content-type", "application/json")
        .header("content-length", body.len())
        .header("x-github-event", event)
        .header("x-github-delivery", DELIVERY)
        .header("x-hub-signature-256", signature)
}

/// One of GitHub's published samples.
#[expect(clippy::unwrap_used, reason = "test helper")]
pub(crate) fn sample(lines: &str, chosen: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).find(chosen).unwrap()
}

impl Setup {
    #[expect(clippy::unwrap_used, reason = "test helper")]
    pub(crate) async fn send(&self, request: http::request::Builder, body: impl Into<Body>) -> (StatusCode, String) {
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let status = response.status();
        let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(text.to_vec()).unwrap())
    }

    /// Sends a rightly signed webhook.
    pub(crate) async fn post(&self, event: &str, body: &serde_json::Value) -> (StatusCode, String) {
        let body = body.to_string();
        self.send(signed(event, &body, "now"), body.clone()).await
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    pub(crate) fn list_tenants(&self, list: &str) {
        std::fs::write(self.folder.path().join("customers"), list).unwrap();
    }

    pub(crate) async fn first_audit(&self) -> AuditEvent {
        let audits = self.gateway.messages_when("audit-event", |messages| !messages.is_empty()).await;
        audits[0].read()
    }

    pub(crate) fn pushes(&self) -> Vec<PushEvent> {
        self.gateway.messages("github-push").iter().map(Message::read).collect()
    }

    pub(crate) fn removals(&self) -> Vec<GarbageRequest> {
        self.gateway.messages("garbage-collect").iter().map(Message::read).collect()
    }

    pub(crate) fn nothing_was_queued(&self) -> bool {
        self.pushes().is_empty() && self.removals().is_empty()
    }
}
