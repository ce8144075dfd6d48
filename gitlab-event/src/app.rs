//! One webhook, from its arrival to the queue.
//!
//! What a webhook says is confirmed by GitLab before anything is done about it, and GitLab may be slow, busy or away
//! while its webhooks wait for an answer of ours. So what was said goes into the durable queue, for this function
//! itself: nothing is lost, and GitLab has its answer at once.

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;
use sdk::audit::Auditor;
use sdk::call::CallId;
use sdk::failure::Failure;
use sdk::signing::{Key, SIGNATURE_HEADER, Signed};
use sdk::webhook::{Intake, Refusals, Refused, TEXT};

use crate::config::Config;
use crate::hook::{self, Seen};
use crate::notice::{Notice, What};
use crate::owner;
use crate::refusal::Refusal;
use crate::{delivery, token};

pub(crate) const NAME: &str = "gitlab-event";

pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) auditor: Auditor,
    intake: Intake,
    refusals: Refusals,
    key: Key,
}

/// What was done: a status and a sentence.
pub(crate) type Done = (StatusCode, String);

/// Webhooks come with a token, what this function told itself comes with a signature.
pub(crate) async fn receive(State(app): State<Arc<App>>, request: Request) -> Response {
    if request.headers().contains_key(SIGNATURE_HEADER) {
        return app.work(request).await;
    }
    // Until its token is right, not even the webhook's own name for itself is taken over.
    let mut call = CallId::random();
    match app.accept(request, &mut call).await {
        Ok((status, sentence)) => (status, TEXT, sentence + "\n").into_response(),
        Err(refusal) => app.refusals.answer(&refusal, &call),
    }
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        let auditor = Auditor::new(NAME, config.functions.clone());
        Self {
            intake: Intake::new(config.max_body_bytes),
            refusals: Refusals::new(auditor.clone()),
            key: config.functions.key(NAME),
            auditor,
            config,
        }
    }

    async fn accept(&self, request: Request, call: &mut CallId) -> Result<Done, Refusal> {
        token::verify(&self.config.webhook_secrets, request.headers())?;
        let (head, body) = self.intake.read(request).await?;
        *call = delivery::call(&head.headers, &body);
        let notice = match hook::read(&head.headers, &body)? {
            Seen::Notice(notice) => notice,
            Seen::Nothing(sentence) => return Ok((StatusCode::OK, sentence)),
        };
        if let Some(sentence) = self.reason_to_pass_over(&notice) {
            return Ok((StatusCode::OK, sentence));
        }
        self.config.functions.enqueue(NAME, &*notice, call).await.map_err(Refusal::Queue)?;
        tracing::info!(call_id = %call, project = notice.project, path = %notice.path, "webhook accepted");
        Ok((StatusCode::ACCEPTED, format!("{}: queued", notice.path)))
    }

    /// A system hook tells of every push in an instance, of which few may be tenants'. Those of others are passed over
    /// at once; whether one is a tenant's, GitLab's own word decides later.
    fn reason_to_pass_over(&self, notice: &Notice) -> Option<String> {
        let namespace = owner::namespace(&notice.path);
        let top = owner::top(namespace).unwrap_or(namespace);
        let listed = owner::login(top).is_ok_and(|login| self.config.customers.contains(&login));
        let passed = matches!(notice.what, What::Pushed { .. }) && !listed;
        passed.then(|| format!("'{top}' is not on the tenant list: nothing to do"))
    }

    async fn work(&self, request: Request) -> Response {
        // Whoever writes a signature into a header does not get more time or room by that.
        let request = match self.intake.read(request).await {
            Ok((head, body)) => Request::from_parts(head, body.into()),
            Err(unread) => return self.refusals.answer(&Refusal::from(unread), &CallId::random()),
        };
        let Signed { message: notice, call } = match Signed::<Notice>::from_request(request, &self.key).await {
            Ok(signed) => signed,
            Err(failure) => return failure.into_response(),
        };
        match self.act(&notice, &call).await {
            Ok((status, sentence)) => {
                tracing::info!(call_id = %call, project = notice.project, path = %notice.path, "{sentence}");
                (status, TEXT, sentence + "\n").into_response()
            }
            Err(refusal) => {
                let seconds = refusal.wait_seconds();
                let mut response = match refusal.status() {
                    // Nothing is refused: the queue comes again.
                    status if status.is_server_error() => {
                        Failure::new(status, refusal.to_string()).because(refusal).into_response()
                    }
                    _ => self.refusals.answer(&refusal, &call),
                };
                if let Some(seconds) = seconds {
                    response.headers_mut().insert(RETRY_AFTER, seconds.into());
                }
                response
            }
        }
    }
}
