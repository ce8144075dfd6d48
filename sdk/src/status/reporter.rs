//! Sends statuses in the order in which they were given, without holding up the work.

use tokio::sync::{mpsc, oneshot};

use super::{STATUS_FUNCTION, Status};
use crate::call::{CallId, Functions};

/// Statuses that wait for the host; one more holds up the work until one is sent.
const QUEUE: usize = 256;

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

    /// Waits until everything reported so far is sent or given up.
    pub async fn flush(&self) {
        let (done, sent) = oneshot::channel();
        if self.sender.send(Message::Flush(done)).await.is_ok() {
            let _ = sent.await;
        }
    }
}

async fn send(functions: &Functions, status: &Status, call: &CallId) {
    if let Err(error) = functions.invoke(STATUS_FUNCTION, status, call).await {
        let error = crate::failure::chain(&error);
        tracing::warn!(call_id = %call, context = status.context, error, "The status could not be reported");
    }
}
