//! Answers to webhooks that are not acted on.

use std::time::Instant;

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderName, StatusCode};

use super::quota::Quota;
use crate::audit::{AuditEvent, Auditor};
use crate::call::CallId;
use crate::id::Owner;

/// Webhooks are answered with one sentence.
pub const TEXT: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "text/plain; charset=utf-8")];

/// Why a webhook is not acted on. Its sentence is for the sender, its cause for the log alone.
pub trait Refused: std::error::Error {
    /// The status that the sender gets.
    fn status(&self) -> StatusCode;

    /// The owner, where it is proven who that is.
    fn owner(&self) -> Option<&Owner>;

    /// What the audit trail hears of whose it is and by whom; the message is put in.
    fn about(&self) -> AuditEvent {
        let owner = self.owner().map(ToString::to_string).unwrap_or_default();
        AuditEvent { owner, ..AuditEvent::default() }
    }
}

/// Answers refusals, and reports as many of them as its quota allows.
#[derive(Debug)]
pub struct Refusals {
    auditor: Auditor,
    quota: Quota,
}

impl Refusals {
    /// Reports to the audit trail by this auditor.
    pub fn new(auditor: Auditor) -> Self {
        Self { auditor, quota: Quota::new(Instant::now()) }
    }

    /// The sender's answer; the log and the audit trail get it as far as the quota goes.
    pub fn answer(&self, refusal: &impl Refused, call: &CallId) -> Response {
        if let Some(suppressed) = self.quota.admit(Instant::now()) {
            let status = refusal.status().as_u16();
            let cause = refusal.source().map(crate::failure::chain).unwrap_or_default();
            tracing::warn!(call_id = %call, status, suppressed, cause, "webhook refused: {refusal}");
            self.audit(refusal, suppressed, call.clone());
        }
        (refusal.status(), TEXT, format!("{refusal}\n")).into_response()
    }

    /// Tells the audit trail without making the sender wait; the quota bounds how many do so at once.
    fn audit(&self, refusal: &impl Refused, suppressed: u64, call: CallId) {
        let mut message = format!("webhook refused: {refusal}");
        if suppressed > 0 {
            message.push_str(&format!(" (and {suppressed} refusals before this one)"));
        }
        let event = AuditEvent { message, ..refusal.about() };
        let auditor = self.auditor.clone();
        tokio::spawn(async move { auditor.send(event, &call).await });
    }
}
