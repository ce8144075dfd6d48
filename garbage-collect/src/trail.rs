//! What the audit trail hears of a collection. It names every function, however many there are: a line has a limit,
//! so there are as many lines as it takes.

use sdk::audit::{AuditEvent, Auditor};
use sdk::call::CallId;
use sdk::garbage::GarbageRequest;

/// More names would make a line longer than the trail and Slack keep; a name has 63 characters at most.
const NAMES_IN_LINE: usize = 40;

pub(crate) struct Trail<'a> {
    pub(crate) auditor: &'a Auditor,
    pub(crate) request: &'a GarbageRequest,
    pub(crate) call: &'a CallId,
}

impl Trail<'_> {
    /// These are about to go.
    pub(crate) async fn deleting(&self, names: &[String]) {
        self.tell("deleting what is no longer wanted", names).await;
    }

    /// These were deployed again before they went.
    pub(crate) async fn kept(&self, names: &[String]) {
        self.tell("deployed again in the meantime, so not deleted", names).await;
    }

    /// These are still there.
    pub(crate) async fn left(&self, names: &[String]) {
        self.tell("could not be deleted yet", names).await;
    }

    /// Nothing was deleted.
    pub(crate) async fn nothing(&self, why: &str) {
        self.line(format!("nothing was deleted: {why}")).await;
    }

    async fn tell(&self, what: &str, names: &[String]) {
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.sort_unstable();
        for names in names.chunks(NAMES_IN_LINE) {
            self.line(format!("{what}: {}", names.join(", "))).await;
        }
    }

    async fn line(&self, message: String) {
        let event = AuditEvent { message, ..AuditEvent::about_removal(self.request) };
        self.auditor.send(event, self.call).await;
    }
}
