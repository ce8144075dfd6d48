//! The trail of who signed in and what was refused: in the log, and sent on. Nobody waits for it.

use sdk::audit::{AuditEvent, Auditor};
use sdk::call::{CallId, Functions};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Events that may wait to be sent; more are in the log alone.
const WAITING: usize = 1024;
/// How long events may take to be sent after the stop was asked for.
const DRAIN: std::time::Duration = std::time::Duration::from_secs(3);

tokio::task_local! {
    /// The request that is answered.
    static CALL: CallId;
}

/// Does the work of a request; what is noted meanwhile carries its call's id.
pub(crate) async fn under<F: Future>(call: CallId, work: F) -> F::Output {
    CALL.scope(call, work).await
}

/// An event, and the call in which it happened.
type Noted = (AuditEvent, CallId);

/// Takes events.
#[derive(Debug, Clone)]
pub(crate) struct Audit(mpsc::Sender<Noted>);

/// Sends them.
#[derive(Debug)]
pub(crate) struct Sending {
    events: mpsc::Receiver<Noted>,
    auditor: Auditor,
}

impl Audit {
    pub(crate) fn new(functions: Functions) -> (Self, Sending) {
        let (sender, events) = mpsc::channel(WAITING);
        (Self(sender), Sending { events, auditor: Auditor::new("of-auth", functions) })
    }

    /// Notes what somebody did, or was refused: `actor` is `<login> (<host>/<number>)`, or empty where nobody is known.
    pub(crate) fn note(&self, actor: impl Into<String>, message: impl Into<String>) {
        let actor = actor.into();
        // Who signs in is an owner, too.
        let owner = actor.split_once(" (").map_or_else(String::new, |(login, _)| login.to_owned());
        let event = AuditEvent { owner, actor, message: message.into(), ..AuditEvent::default() };
        let call = CALL.try_with(CallId::clone).unwrap_or_else(|_| CallId::random());
        tracing::info!(actor = event.actor, call_id = %call, "{}", event.message);
        if self.0.try_send((event, call)).is_err() {
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
                    Some((event, call)) => self.auditor.send(event, &call).await,
                    None => return,
                },
                () = stop.cancelled() => break,
            }
        }
        let rest = async {
            while let Ok((event, call)) = self.events.try_recv() {
                self.auditor.send(event, &call).await;
            }
        };
        let _ = tokio::time::timeout(DRAIN, rest).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_event_names_the_owner_and_the_call() {
        let (audit, mut sending) = Audit::new(Functions::new("http://127.0.0.1:1".parse().unwrap(), "secret".into()));
        let call = CallId::parse("call-1").unwrap();
        under(call.clone(), async { audit.note("alice (github.com/42)", "Signed in.") }).await;
        audit.note("", "A new key signs sessions from now on.");
        let (event, of) = sending.events.try_recv().unwrap();
        assert_eq!((event.owner.as_str(), event.actor.as_str(), of), ("alice", "alice (github.com/42)", call.clone()));
        let (event, of) = sending.events.try_recv().unwrap();
        assert!(event.owner.is_empty() && of != call);
    }
}
