//! One webhook, from its arrival to the queue.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use sdk::audit::{AuditEvent, Auditor};
use sdk::call::{CallError, CallId};
use sdk::customers::Admission;
use sdk::event::PushEvent;
use sdk::garbage::{GARBAGE_FUNCTION, GarbageRequest};
use sdk::id::OwnerId;
use sdk::reserved;
use sdk::webhook::{Intake, Refusals, TEXT};

use crate::config::Config;
use crate::delivery::Delivery;
use crate::order::{Collection, Note, Order};
use crate::payload;
use crate::refusal::Refusal;
use crate::signature;

const EVENT_HEADER: &str = "x-github-event";
/// So many of a long list's messages are on their way to the queue at once.
const AT_ONCE: usize = 16;

pub(crate) struct App {
    config: Config,
    intake: Intake,
    auditor: Auditor,
    refusals: Refusals,
}

/// What was done with a webhook: a status and a sentence.
type Done = (StatusCode, String);

pub(crate) async fn receive(State(app): State<Arc<App>>, request: Request) -> Response {
    let delivery = Delivery::of(request.headers());
    match app.accept(request, &delivery).await {
        Ok((status, sentence)) => (status, TEXT, sentence + "\n").into_response(),
        Err(refusal) => app.refusals.answer(&refusal, delivery.call()),
    }
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        let auditor = Auditor::new("github-event", config.functions.clone());
        Self { intake: Intake::new(config.max_body_bytes), refusals: Refusals::new(auditor.clone()), auditor, config }
    }

    async fn accept(&self, request: Request, delivery: &Delivery) -> Result<Done, Refusal> {
        let (head, body) = self.intake.read(request).await?;
        signature::verify(&self.config.webhook_secrets, &head.headers, &body)?;
        let kind = head.headers.get(EVENT_HEADER).and_then(|value| value.to_str().ok()).ok_or(Refusal::NoEvent)?;
        if is_form(&head.headers) {
            return Err(Refusal::Form);
        }
        if kind == "ping" {
            return Ok((StatusCode::OK, "pong".to_owned()));
        }
        let sentence = match payload::read(kind, &body, &self.config.source)? {
            Order::Deploy(event) => self.deploy(event, delivery.call()).await?,
            Order::Collect(collection) => self.collect(collection, delivery).await?,
            Order::Note(note) => self.note(note, delivery.call()).await,
            Order::Ignore(sentence) => sentence,
        };
        Ok((StatusCode::ACCEPTED, sentence))
    }

    async fn deploy(&self, event: Box<PushEvent>, call: &CallId) -> Result<String, Refusal> {
        if reserved::is_login(&event.owner) {
            return Err(Refusal::Reserved(event));
        }
        match self.config.customers.admits(&event.owner, &event.owner_id()) {
            Admission::Admitted => {}
            Admission::Unknown => return Err(Refusal::UnknownTenant(event)),
            Admission::OtherAccount => return Err(Refusal::OtherAccount(event)),
        }
        self.config.functions.enqueue("github-push", &event, call).await.map_err(Refusal::Queue)?;
        tracing::info!(call_id = %call, owner = %event.owner, repo = %event.repo, sha = %event.sha, branch = event.branch, "push accepted");
        Ok(format!("{} {} {}: queued", event.repo_path(), event.branch, event.sha.short()))
    }

    /// Queues a message for each repository. Who sends the webhook again, because one was not taken, sends the same ones.
    async fn collect(&self, collection: Collection, delivery: &Delivery) -> Result<String, Refusal> {
        let Collection { requests, note } = collection;
        let messages = stream::iter(requests).map(|request| self.queue_removal(request, delivery));
        messages
            .buffer_unordered(AT_ONCE)
            .try_for_each(|()| std::future::ready(Ok(())))
            .await
            .map_err(Refusal::Queue)?;
        let call = delivery.call();
        tracing::info!(call_id = %call, owner = %note.owner, repo = note.repo, actor = note.actor, "{}", note.sentence);
        Ok(self.note(note, call).await)
    }

    async fn queue_removal(&self, request: GarbageRequest, delivery: &Delivery) -> Result<(), CallError> {
        let request = GarbageRequest { until: delivery.until(), ..request };
        let call = request.repo_id.map_or_else(|| delivery.call().clone(), |id| delivery.part(id));
        self.config.functions.enqueue(GARBAGE_FUNCTION, &request, &call).await
    }

    /// Whoever installs the app may fill the trail with nothing: only tenants are written there.
    async fn note(&self, note: Note, call: &CallId) -> String {
        let Note { owner, owner_id, repo, actor, sentence } = note;
        let customers = &self.config.customers;
        if customers.contains(&owner) {
            let account = OwnerId { host: self.config.source.host.clone(), id: owner_id };
            // The login may be on the list for another account.
            let is_tenants = owner_id != 0 && customers.admits(&owner, &account) == Admission::Admitted;
            let (owner, owner_id) = (owner.to_string(), is_tenants.then_some(account));
            let message = sentence.clone();
            self.auditor
                .send(AuditEvent { message, owner, owner_id, repo, actor, ..AuditEvent::default() }, call)
                .await;
        }
        sentence
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}
