//! What the pusher and the audit trail get to know.

use sdk::audit::Auditor;
use sdk::call::CallId;
use sdk::event::PushEvent;
use sdk::status::{Reporter, STACK_CONTEXT, State, Status};

/// Statuses and audit lines of one push.
#[derive(Debug, Clone)]
pub(crate) struct Report<'a> {
    pub(crate) event: &'a PushEvent,
    pub(crate) call: &'a CallId,
    pub(crate) reporter: Reporter,
    pub(crate) auditor: &'a Auditor,
}

impl Report<'_> {
    /// The status of the whole stack.
    pub(crate) async fn stack(&self, state: State, title: impl AsRef<str>) {
        self.reporter.report(Status::new(self.event, STACK_CONTEXT, state, title)).await;
    }

    /// The status of one function.
    pub(crate) async fn function(&self, function: impl Into<String>, state: State, title: impl AsRef<str>) {
        self.reporter.report(Status::new(self.event, function, state, title)).await;
    }

    /// A line of the audit trail.
    pub(crate) async fn audit(&self, message: impl Into<String>) {
        self.auditor.push(self.event, message, self.call).await;
    }
}
