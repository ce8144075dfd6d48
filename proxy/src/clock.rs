//! A clock for one wait after the other.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// Strikes at a deadline. It is not set anew for each deadline: one that is later than the one before is looked at when the
/// clock strikes for that. Nearly all waits are over long before.
#[derive(Debug, Default)]
pub(crate) struct Clock(Option<Pin<Box<Sleep>>>);

impl Clock {
    /// Ready when the deadline is over.
    pub(crate) fn poll(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(context));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_strikes_at_each_deadline_earlier_or_later() {
        let (mut clock, began) = (Clock::default(), Instant::now());
        for seconds in [10, 30, 20, 31, 31] {
            let deadline = began + Duration::from_secs(seconds);
            std::future::poll_fn(|context| clock.poll(deadline, context)).await;
            assert!(Instant::now() >= deadline);
        }
        assert_eq!(began.elapsed().as_secs(), 31);
        let deadline = Instant::now() + Duration::from_secs(100);
        let later = std::future::poll_fn(|context| clock.poll(deadline, context));
        assert!(tokio::time::timeout(Duration::from_secs(1), later).await.is_err());
        let sooner = Instant::now() + Duration::from_secs(1);
        std::future::poll_fn(|context| clock.poll(sooner, context)).await;
        assert_eq!(Instant::now(), sooner);
    }
}
