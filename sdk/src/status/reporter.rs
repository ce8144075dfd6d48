//! Sends statuses in the order in which they were given, without holding up the work.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{STATUS_FUNCTION, Status};
use crate::call::{CallId, Functions};

/// Statuses that wait for the host; one more holds up the work until one is sent.
const QUEUE: usize = 256;
/// A last word is said again after these pauses: without it a commit would seem to be in progress for ever.
const AGAIN: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];
/// How long the work waits for its statuses. They go on their way after that, too.
const FLUSH_TIME: Duration = Duration::from_secs(15);

enum Message {
    Report(Box<Status>),
    Flush(oneshot::Sender<()>),
}

/// Reports the statuses of one push in the background. Cloning is cheap. Reporting never fails the work:
/// what cannot be sent is logged.
#[derive(Debug, Clone)]
pub struct Reporter {
    sender: mpsc::Sender<Message>,
}

impl Reporter {
    /// Starts a reporter for one call.
    pub fn start(functions: Functions, call: CallId) -> Self {
        let (sender, mut receiver) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            while let Some(message) = receiver.recv().await {
                match message {
                    Message::Report(status) => send(&functions, &status, &call).await,
                    Message::Flush(done) => drop(done.send(())),
                }
            }
        });
        Self { sender }
    }

    /// Reports a status.
    pub async fn report(&self, status: Status) {
        let _ = self.sender.send(Message::Report(Box::new(status))).await;
    }

    /// Waits until everything reported so far is sent or given up, but never long: a host that hangs must not
    /// hold up deployments.
    pub async fn flush(&self) {
        let (done, sent) = oneshot::channel();
        let flushed = async {
            if self.sender.send(Message::Flush(done)).await.is_ok() {
                let _ = sent.await;
            }
        };
        let _ = tokio::time::timeout(FLUSH_TIME, flushed).await;
    }
}

async fn send(functions: &Functions, status: &Status, call: &CallId) {
    let mut pauses = AGAIN.iter().filter(|_| status.state.is_final());
    while let Err(error) = functions.invoke(STATUS_FUNCTION, status, call).await {
        match pauses.next().filter(|_| error.is_worth_a_retry()) {
            Some(pause) => tokio::time::sleep(*pause).await,
            None => {
                let error = crate::failure::chain(&error);
                tracing::warn!(call_id = %call, context = status.context, error, "The status could not be reported");
                return;
            }
        }
    }
}

#[cfg(all(test, feature = "fake-gateway"))]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::fake_gateway::FakeGateway;
    use crate::status::State;

    const ROUTE: &str = "POST /function/github-status";

    fn status(state: State) -> Status {
        let event = serde_json::from_value(serde_json::json!({
            "host": "h", "owner": "alice", "owner_id": 1, "repo": "r", "repo_id": 2, "private": false, "branch": "main",
            "default_branch": "main", "sha": "a".repeat(40), "html_url": "", "installation": 0, "pusher": "a",
        }));
        Status::new(&event.unwrap(), "stack-deploy", state, "x")
    }

    #[tokio::test]
    async fn the_last_word_is_said_again_and_what_comes_before_it_is_not() {
        let gateway = FakeGateway::start().await;
        let functions = Functions::read(&gateway.env(&[], &[]).reader()).unwrap();
        let reporter = Reporter::start(functions, CallId::random());
        for state in [State::InProgress, State::Success] {
            gateway.refuse_next(ROUTE, StatusCode::BAD_GATEWAY, "GitHub is down");
            reporter.report(status(state)).await;
            reporter.flush().await;
        }
        let told: Vec<State> = gateway.messages(STATUS_FUNCTION).iter().map(|m| m.read::<Status>().state).collect();
        assert_eq!(told, [State::Success]);
        gateway.refuse_next(ROUTE, StatusCode::UNPROCESSABLE_ENTITY, "no such commit");
        reporter.report(status(State::Failure)).await;
        reporter.flush().await;
        assert_eq!(gateway.messages(STATUS_FUNCTION).len(), 1, "what is refused for good is not said again");
    }
}
