//! The trail of who signed in and what was refused: in the log, and sent on. Nobody waits for it.

use sdk::audit::{AuditEvent, Auditor};
use sdk::call::{CallId, Functions};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Events that may wait to be sent; more are in the log alone.
const WAITING: usize = 1024;
/// How long events may take to be sent after the stop was asked for.
const DRAIN: std::time::Duration = std::time::Duration::from_secs(3);

/// Takes events.
#[derive(Debug, Clone)]
pub(crate) struct Audit(mpsc::Sender<AuditEvent>);

/// Sends them.
#[derive(Debug)]
pub(crate) struct Sending {
    events: mpsc::Receiver<AuditEvent>,
    auditor: Auditor,
}

impl Audit {
    pub(crate) fn new(functions: Functions) -> (Self, Sending) {
        let (sender, events) = mpsc::channel(WAITING);
        (Self(sender), Sending { events, auditor: Auditor::new("of-auth", functions) })
    }

    /// Notes what somebody did, or was refused: `actor` is `<login> (<host>/<number>)`, or empty where nobody is known.
    pub(crate) fn note(&self, actor: impl Into<String>, message: impl Into<String>) {
        let event = AuditEvent { actor: actor.into(), message: message.into(), ..AuditEvent::default() };
        tracing::info!(actor = event.actor, "{}", event.message);
        if self.0.try_send(event).is_err() {
            tracing::warn!("More audit events than can be sent: one is in this log alone");
        }
    }
}

impl Sending {
    /// Sends events until the stop, and what waits then.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.auditor.send(event, &CallId::random()).await,
                    None => return,
                },
                () = stop.cancelled() => break,
            }
        }
        let rest = async {
            while let Ok(event) = self.events.try_recv() {
                self.auditor.send(event, &CallId::random()).await;
            }
        };
        let _ = tokio::time::timeout(DRAIN, rest).await;
    }
}
