//! Clients of HTTP/2 that ask for answers and do not take them: a stream whose window stays shut is no connection that
//! blocks, so that nobody else notices. An answer's next part, of 64 KiB at most, is asked for when the one before has gone.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use hyper::rt::Executor;
use tokio::time::{Sleep, sleep};

use super::worker::Worker;
use crate::metrics::Limit;

thread_local! {
    /// Whether what the stream that runs on this thread did last was to get a part of its answer.
    static GIVEN: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Notes that a part of an answer is there for its client, or that it has to be waited for.
pub(crate) fn note(given: bool) {
    GIVEN.set(Some(given));
}

/// Runs streams, each until its client takes nothing for too long; then the stream is reset.
#[derive(Debug, Clone)]
pub(crate) struct Streams(pub(crate) Arc<Worker>);

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let lane = self.0.lane();
        tokio::spawn(async move {
            let mut stream = pin!(stream);
            let mut timer: Option<Pin<Box<Sleep>>> = None;
            std::future::poll_fn(|context| {
                GIVEN.set(None);
                if stream.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                match GIVEN.take() {
                    Some(true) => timer = Some(Box::pin(sleep(lane.router.client_timeout))),
                    Some(false) => timer = None,
                    None => {}
                }
                let over = timer.as_mut().map_or(Poll::Pending, |timer| timer.as_mut().poll(context));
                over.map(|()| lane.shard().limit(Limit::Reader))
            })
            .await;
        });
    }
}
