//! How connections learn that the port closes.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

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

    /// Drives a connection; once, when the port closes, asks it to finish.
    pub(super) async fn drive<C: Future + Unpin>(&self, connection: &mut C, finish: impl Fn(Pin<&mut C>)) -> C::Output {
        let mut begun = pin!(self.token.cancelled());
        let (mut registered, mut asked) = (false, false);
        std::future::poll_fn(move |context| {
            if let Poll::Ready(output) = Pin::new(&mut *connection).poll(context) {
                return Poll::Ready(output);
            }
            // Waiting takes a lock that all connections share. A task's waker stays the same, so it is enough to
            // wait once and to look at the flag when woken.
            let now = !asked
                && if registered {
                    self.begun.load(Ordering::SeqCst)
                } else {
                    registered = true;
                    begun.as_mut().poll(context).is_ready()
                };
            if !now {
                return Poll::Pending;
            }
            asked = true;
            finish(Pin::new(&mut *connection));
            Pin::new(&mut *connection).poll(context)
        })
        .await
    }
}
