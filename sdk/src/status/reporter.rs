//! Sends statuses without holding up the work.
//!
//! Statuses of one context go out in the order in which they were given; one that is still to be sent when the next
//! is given is left out, so that a slow host is told where things are and not where they were. Contexts do not wait
//! for each other, since a host may take a fifth of a second for each. Only a last word on the stack waits until
//! everything else is out: nothing is said of a push after it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

use super::{STACK_CONTEXT, Status};
use crate::call::{CallId, Functions};

/// Statuses that are sent at the same time.
const AT_ONCE: usize = 8;
/// A last word is said again after these pauses: without it a commit would seem to be in progress for ever.
const AGAIN: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];
/// How long the work waits for its statuses. They go on their way after that, too.
const FLUSH_TIME: Duration = Duration::from_secs(15);

/// Reports the statuses of one push in the background. Cloning is cheap. Reporting never fails the work and never
/// waits: what cannot be sent is logged.
#[derive(Debug, Clone)]
pub struct Reporter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    functions: Functions,
    call: CallId,
    places: Semaphore,
    /// The contexts of which something is on its way, each with what is to be sent next.
    contexts: Mutex<HashMap<String, Option<Status>>>,
    /// A context has nothing on its way any more.
    idle: Notify,
}

impl Reporter {
    /// A reporter for one call.
    pub fn start(functions: Functions, call: CallId) -> Self {
        let (places, contexts, idle) = (Semaphore::new(AT_ONCE), Mutex::default(), Notify::new());
        Self { shared: Arc::new(Shared { functions, call, places, contexts, idle }) }
    }

    /// Reports a status.
    pub fn report(&self, status: Status) {
        let mut contexts = self.shared.contexts();
        if let Some(next) = contexts.get_mut(&status.context) {
            *next = Some(status);
            return;
        }
        contexts.insert(status.context.clone(), None);
        drop(contexts);
        tokio::spawn(Arc::clone(&self.shared).send_all(status));
    }

    /// Waits until everything reported so far is sent or given up, but never long: a host that hangs must not
    /// hold up deployments.
    pub async fn flush(&self) {
        let all_out = self.shared.wait_until(HashMap::is_empty);
        let _ = tokio::time::timeout(FLUSH_TIME, all_out).await;
    }
}

impl Shared {
    fn contexts(&self) -> MutexGuard<'_, HashMap<String, Option<Status>>> {
        self.contexts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a status, and then those of its context that have come by then.
    async fn send_all(self: Arc<Self>, mut status: Status) {
        let context = status.context.clone();
        loop {
            if context == STACK_CONTEXT && status.state.is_final() {
                self.wait_until(|contexts| contexts.len() == 1).await;
            }
            let place = self.places.acquire().await;
            if let Some(newer) = self.newer(&context) {
                status = newer;
                continue;
            }
            self.send(&status).await;
            drop(place);
            let mut contexts = self.contexts();
            match contexts.get_mut(&context).and_then(Option::take) {
                Some(next) => status = next,
                None => {
                    contexts.remove(&context);
                    self.idle.notify_waiters();
                    return;
                }
            }
        }
    }

    fn newer(&self, context: &str) -> Option<Status> {
        self.contexts().get_mut(context).and_then(Option::take)
    }

    async fn wait_until(&self, reached: impl Fn(&HashMap<String, Option<Status>>) -> bool) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            // From here on no change is missed.
            idle.as_mut().enable();
            if reached(&self.contexts()) {
                return;
            }
            idle.await;
        }
    }

    async fn send(&self, status: &Status) {
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
mod tests;
