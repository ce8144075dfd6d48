//! One webhook, from its arrival to the queue.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use sdk::audit::{AuditEvent, Auditor};
use sdk::call::CallId;
use sdk::event::PushEvent;
use sdk::reserved;
use sdk::webhook::{Intake, Refusals, TEXT};

use crate::config::Config;
use crate::payload::{Push, What};
use crate::refusal::Refusal;
use crate::signature;

const EVENT_HEADER: &str = "x-github-event";
const DELIVERY_HEADER: &str = "x-github-delivery";

pub(crate) struct App {
    config: Config,
    intake: Intake,
    auditor: Auditor,
    refusals: Refusals,
}

/// What was done with a webhook: a status and a sentence.
type Done = (StatusCode, String);

pub(crate) async fn receive(State(app): State<Arc<App>>, request: Request) -> Response {
    let call = delivery(request.headers());
    match app.accept(request, &call).await {
        Ok((status, sentence)) => (status, TEXT, sentence + "\n").into_response(),
        Err(refusal) => app.refusals.answer(&refusal, &call),
    }
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        let auditor = Auditor::new("github-event", config.functions.clone());
        Self { intake: Intake::new(config.max_body_bytes), refusals: Refusals::new(auditor.clone()), auditor, config }
    }

    async fn accept(&self, request: Request, call: &CallId) -> Result<Done, Refusal> {
        let (head, body) = self.intake.read(request).await?;
        signature::verify(&self.config.webhook_secrets, &head.headers, &body)?;
        let event = head.headers.get(EVENT_HEADER).and_then(|value| value.to_str().ok()).ok_or(Refusal::NoEvent)?;
        match event {
            "push" if is_form(&head.headers) => Err(Refusal::Form),
            "push" => self.push(Push::parse(&body, &self.config.host, &self.config.pages)?, call).await,
            "ping" => Ok((StatusCode::OK, "pong".to_owned())),
            _ => Ok((StatusCode::OK, "the event is not handled".to_owned())),
        }
    }

    async fn push(&self, push: Push, call: &CallId) -> Result<Done, Refusal> {
        if reserved::is_login(&push.owner) {
            return Err(Refusal::Reserved(push.owner));
        }
        if !self.config.customers.contains(&push.owner) {
            return Err(Refusal::UnknownTenant(push.owner));
        }
        match push.what {
            What::Nothing(sentence) => {
                let owner = push.owner.to_string();
                let event = AuditEvent { message: sentence.clone(), owner, ..AuditEvent::default() };
                self.auditor.send(event, call).await;
                Ok((StatusCode::OK, sentence))
            }
            What::Head(event) => self.queue(&event, call).await,
        }
    }

    async fn queue(&self, event: &PushEvent, call: &CallId) -> Result<Done, Refusal> {
        self.config.functions.enqueue("github-push", event, call).await.map_err(Refusal::Queue)?;
        tracing::info!(call_id = %call, owner = %event.owner, repo = %event.repo, sha = %event.sha, branch = event.branch, "push accepted");
        let sentence = format!("{} {} {}: queued", event.repo_path(), event.branch, event.sha.short());
        Ok((StatusCode::ACCEPTED, sentence))
    }
}

/// The delivery's id as the call's: a delivery sent again while the first one waits is the same job.
fn delivery(headers: &HeaderMap) -> CallId {
    let given = headers.get(DELIVERY_HEADER).and_then(|value| value.to_str().ok());
    given.and_then(CallId::parse).unwrap_or_else(CallId::random)
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}
