//! How connections learn that the port closes.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio_util::sync::CancellationToken;

#[derive(Default)]
pub(super) struct Closing {
    begun: AtomicBool,
    token: CancellationToken,
}

impl Closing {
    pub(super) fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
        self.token.cancel();
    }

    pub(super) async fn begun(&self) {
        self.token.cancelled().await;
    }

    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    /// Whether it has begun, to be asked by one task only, which is woken when it does.
    pub(super) fn watch(&self) -> impl FnMut(&mut Context<'_>) -> Poll<()> {
        let mut begun = Box::pin(self.token.cancelled());
        let mut registered = false;
        move |context| {
            // Waiting takes a lock that all connections share. A task's waker stays the same, so it is enough to
            // wait once and to look at the flag when woken.
            if registered {
                return if self.has_begun() { Poll::Ready(()) } else { Poll::Pending };
            }
            registered = true;
            begun.as_mut().poll(context)
        }
    }

    /// Drives a connection; once, when the port closes, asks it to finish.
    pub(super) async fn drive<C: Future + Unpin>(&self, connection: &mut C, finish: impl Fn(Pin<&mut C>)) -> C::Output {
        let mut begun = self.watch();
        let mut asked = false;
        std::future::poll_fn(move |context| {
            if let Poll::Ready(output) = Pin::new(&mut *connection).poll(context) {
                return Poll::Ready(output);
            }
            if asked || begun(context).is_pending() {
                return Poll::Pending;
            }
            asked = true;
            finish(Pin::new(&mut *connection));
            Pin::new(&mut *connection).poll(context)
        })
        .await
    }
}
