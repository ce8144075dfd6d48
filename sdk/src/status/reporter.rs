//! Sends statuses without holding up the work.
//!
//! Statuses of one context go out in the order in which they were given; contexts do not wait for each other,
//! since a host may take a fifth of a second for each. A status of the stack goes out when all before it are
//! out, and all after it wait for it: it is the first and the last that is said of a push.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, join_all};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{STACK_CONTEXT, Status};
use crate::call::{CallId, Functions};

/// Statuses that wait for the host; one more holds up the work until one is sent.
const QUEUE: usize = 256;
/// Statuses that are sent at the same time.
const AT_ONCE: usize = 8;
/// A last word is said again after these pauses: without it a commit would seem to be in progress for ever.
const AGAIN: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];
/// How long the work waits for its statuses. They go on their way after that, too.
const FLUSH_TIME: Duration = Duration::from_secs(15);

enum Message {
    Report(Box<Status>),
    /// Tells when everything said of this context is out; of all, where there is none.
    Flush(Option<String>, oneshot::Sender<()>),
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
        let (sender, receiver) = mpsc::channel(QUEUE);
        let host = Arc::new(Host { functions, call, places: Semaphore::new(AT_ONCE) });
        tokio::spawn(
            Dispatcher { host, waiting: Arc::new(Semaphore::new(QUEUE)), tails: HashMap::new() }.run(receiver),
        );
        Self { sender }
    }

    /// Reports a status.
    pub async fn report(&self, status: Status) {
        let _ = self.sender.send(Message::Report(Box::new(status))).await;
    }

    /// Waits until everything reported so far is sent or given up, but never long: a host that hangs must not
    /// hold up deployments.
    pub async fn flush(&self) {
        self.wait_for(None).await;
    }

    /// As [`Reporter::flush`], for the statuses of one context.
    pub async fn flush_context(&self, context: &str) {
        self.wait_for(Some(context.to_owned())).await;
    }

    async fn wait_for(&self, context: Option<String>) {
        let (done, sent) = oneshot::channel();
        let flushed = async {
            if self.sender.send(Message::Flush(context, done)).await.is_ok() {
                let _ = sent.await;
            }
        };
        let _ = tokio::time::timeout(FLUSH_TIME, flushed).await;
    }
}

/// Where statuses go.
struct Host {
    functions: Functions,
    call: CallId,
    places: Semaphore,
}

/// Gives each status its place in the order.
struct Dispatcher {
    host: Arc<Host>,
    /// Bounds the statuses that were taken and are not out.
    waiting: Arc<Semaphore>,
    /// The end of what is on its way, for each context.
    tails: HashMap<String, Shared<BoxFuture<'static, ()>>>,
}

impl Dispatcher {
    async fn run(mut self, mut receiver: mpsc::Receiver<Message>) {
        while let Some(message) = receiver.recv().await {
            match message {
                Message::Report(status) if status.context == STACK_CONTEXT => {
                    self.all_out().await;
                    self.host.send(&status).await;
                }
                Message::Report(status) => self.dispatch(*status).await,
                Message::Flush(None, done) => {
                    self.all_out().await;
                    let _ = done.send(());
                }
                Message::Flush(Some(context), done) => {
                    let tail = self.tails.get(&context).cloned();
                    tokio::spawn(async move {
                        if let Some(tail) = tail {
                            tail.await;
                        }
                        let _ = done.send(());
                    });
                }
            }
        }
    }

    async fn dispatch(&mut self, status: Status) {
        // Never closed, so there is always a place at last.
        let place = Arc::clone(&self.waiting).acquire_owned().await;
        let (host, before) = (Arc::clone(&self.host), self.tails.remove(&status.context));
        let context = status.context.clone();
        let task = tokio::spawn(async move {
            if let Some(before) = before {
                before.await;
            }
            host.send(&status).await;
            drop(place);
        });
        self.tails.insert(context, task.map(drop).boxed().shared());
    }

    async fn all_out(&mut self) {
        join_all(self.tails.drain().map(|(_, tail)| tail)).await;
    }
}

impl Host {
    async fn send(&self, status: &Status) {
        let _place = self.places.acquire().await;
        let mut pauses = AGAIN.iter().filter(|_| status.state.is_final());
        while let Err(error) = self.functions.invoke(status.scm.status_function(), status, &self.call).await {
            match pauses.next().filter(|_| error.is_worth_a_retry()) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => {
                    let (call_id, error) = (&self.call, crate::failure::chain(&error));
                    tracing::warn!(%call_id, context = status.context, error, "The status could not be reported");
                    return;
                }
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

    const STATUS_FUNCTION: &str = "github-status";
    const ROUTE: &str = "POST /function/github-status";

    fn status(state: State) -> Status {
        status_of("stack-deploy", state)
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    fn status_of(context: &str, state: State) -> Status {
        let event = serde_json::from_value(serde_json::json!({
            "host": "h", "owner": "alice", "owner_id": 1, "repo": "r", "repo_id": 2, "private": false, "branch": "main",
            "default_branch": "main", "sha": "a".repeat(40), "html_url": "", "installation": 0, "pusher": "a",
        }));
        Status::new(&event.unwrap(), context, state, "x")
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

    #[tokio::test]
    async fn each_context_keeps_its_order_and_the_stack_is_first_and_last() {
        let gateway = FakeGateway::start().await;
        let functions = Functions::read(&gateway.env(&[], &[]).reader()).unwrap();
        let reporter = Reporter::start(functions, CallId::random());
        reporter.report(status(State::Queued)).await;
        for state in [State::Queued, State::InProgress, State::Success] {
            for number in 0..20 {
                reporter.report(status_of(&format!("fn-{number}"), state)).await;
            }
        }
        reporter.flush_context("fn-7").await;
        let seven =
            || gateway.messages(STATUS_FUNCTION).iter().filter(|m| m.read::<Status>().context == "fn-7").count();
        assert_eq!(seven(), 3);
        reporter.report(status(State::Success)).await;
        reporter.flush().await;
        let told: Vec<Status> = gateway.messages(STATUS_FUNCTION).iter().map(|m| m.read()).collect();
        assert_eq!(told.len(), 62);
        assert_eq!((told[0].state, told[61].state), (State::Queued, State::Success));
        assert!(told[0].context == "stack-deploy" && told[61].context == "stack-deploy");
        for number in 0..20 {
            let of_one = told.iter().filter(|status| status.context == format!("fn-{number}"));
            let states: Vec<State> = of_one.map(|status| status.state).collect();
            assert_eq!(states, [State::Queued, State::InProgress, State::Success], "fn-{number}");
        }
    }
}
