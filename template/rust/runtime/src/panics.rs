//! A panic in one request must not end the others.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// The handler panicked; the panic hook has logged where and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

/// What `work` gives, or that it panicked. It is not polled again after a panic.
pub(crate) async fn caught<F: Future>(work: F) -> Result<F::Output, Panicked> {
    let mut work = pin!(work);
    poll_fn(
        move |cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        },
    )
    .await
}

/// Has panics logged like everything else instead of printed.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let message = info.payload_as_str().unwrap_or("a value that is not text");
        tracing::error!(place, "panicked: {message}");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error() {
        assert_eq!(caught(async { 7 }).await, Ok(7));
        let failed = caught(async {
            tokio::task::yield_now().await;
            panic!("on purpose")
        });
        assert_eq!(failed.await, Err::<(), _>(Panicked));
    }
}
