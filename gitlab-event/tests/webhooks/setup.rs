//! The function between a gateway and a GitLab.

use axum::Router;
use axum::body::Body;
use gitlab_api::fake::{FakeGitlab, Project, TOKEN};
use http::header::RETRY_AFTER;
use http::{Request, StatusCode};
use sdk::audit::AuditEvent;
use sdk::fake_gateway::FakeGateway;
use serde_json::Value;
use tower::ServiceExt;

pub(crate) const PUSH: &str = include_str!("../data/project_push.json");
pub(crate) const SYSTEM_PUSH: &str = include_str!("../data/system_push.json");
pub(crate) const UPDATE: &str = include_str!("../data/system_project_update.json");
pub(crate) const RENAME: &str = include_str!("../data/system_project_rename.json");
pub(crate) const TRANSFER: &str = include_str!("../data/system_project_transfer.json");
pub(crate) const DESTROY: &str = include_str!("../data/system_project_destroy.json");
pub(crate) const SECRET: &str = "webhook-secret-of-tests";
/// `GET` of the samples' project.
pub(crate) const PROJECT: &str = "GET projects/15";

pub(crate) struct Setup {
    pub(crate) gateway: FakeGateway,
    pub(crate) gitlab: FakeGitlab,
    pub(crate) router: Router,
    _folder: tempfile::TempDir,
}

/// What a message from the queue was answered with.
#[derive(Debug)]
pub(crate) struct Worked {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    pub(crate) retry_after: Option<u64>,
}

pub(crate) async fn setup() -> Setup {
    setup_with(&[], "acme\nbeta\n").await
}

/// GitLab has the samples' project, `acme/team/hello`, with its topic.
#[expect(clippy::unwrap_used, reason = "test helper")]
pub(crate) async fn setup_with(vars: &[(&str, &str)], tenants: &str) -> Setup {
    let (gateway, gitlab) = (FakeGateway::start().await, FakeGitlab::start().await);
    gitlab.put_namespace("acme", 70);
    gitlab.put_project(Project { visibility: "internal", ..Project::new(15, "acme/team/hello", 71) });
    let folder = tempfile::tempdir().unwrap();
    let customers = folder.path().join("customers");
    std::fs::write(&customers, tenants).unwrap();
    let instance = format!("{}/", gitlab.url());
    let mut vars = vars.to_vec();
    vars.extend([("customers_path", customers.to_str().unwrap()), ("gitlab_instance", instance.as_str())]);
    let secrets = [
        ("gitlab-webhook-secret", SECRET),
        ("gitlab-webhook-secret-next", "next-secret-of-tests"),
        ("gitlab-api-token", TOKEN),
    ];
    let router = gitlab_event::router(&gateway.env(&vars, &secrets)).unwrap();
    Setup { gateway, gitlab, router, _folder: folder }
}

pub(crate) fn webhook(event: &str, token: &str) -> http::request::Builder {
    Request::post("/")
        .header("content-type", "application/json")
        .header("x-gitlab-event", event)
        .header("x-gitlab-token", token)
        .header("idempotency-key", "908a6d9e-45fd-46c8-97e6-c4f350f219dd")
}

impl Setup {
    #[expect(clippy::unwrap_used, reason = "test helper")]
    pub(crate) async fn send(&self, request: http::request::Builder, body: impl Into<Body>) -> (StatusCode, String) {
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let status = response.status();
        let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(text.to_vec()).unwrap())
    }

    /// A system hook whose message is taken from the queue at once.
    pub(crate) async fn through(&self, body: &str) -> Worked {
        let (status, text) = self.send(webhook("System Hook", SECRET), body.to_owned()).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{text}");
        self.work().await
    }

    /// Hands the newest message in the queue to the function.
    #[expect(clippy::unwrap_used, reason = "test helper")]
    pub(crate) async fn work(&self) -> Worked {
        let message = self.gateway.messages("gitlab-event").pop().unwrap();
        let request = self.gateway.signed("gitlab-event", &message.read::<Value>(), &message.call);
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().parse().unwrap());
        let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Worked { status, text: String::from_utf8(text.to_vec()).unwrap().trim_end().to_owned(), retry_after }
    }

    pub(crate) fn audits(&self) -> Vec<AuditEvent> {
        self.gateway.messages("audit-event").iter().map(sdk::fake_gateway::Message::read).collect()
    }

    pub(crate) async fn first_audit(&self) -> AuditEvent {
        self.gateway.messages_when("audit-event", |messages| !messages.is_empty()).await[0].read()
    }

    /// True if neither a deployment nor a deletion was asked for.
    pub(crate) fn nothing_was_done(&self) -> bool {
        ["gitlab-push", "garbage-collect"].iter().all(|function| self.gateway.messages(function).is_empty())
    }
}
