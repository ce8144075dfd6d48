//! Takes one function's log, as long as it is deployed.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use sdk::failure::chain;
use sdk::gateway::{Gateway, GatewayError};
use tokio::sync::{SemaphorePermit, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::book::Book;
use crate::collector::Collector;
use crate::progress::Progress;
use crate::source_log::{self, LogError};

/// The gateway goes on with the replicas that it had when it was asked. Most changes of them are noticed; for the others it is
/// asked anew after this time.
const READING: Duration = Duration::from_secs(60);
/// How long a replica that stops may take for its last words.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Lines that are taken together.
const TOGETHER: usize = 256;
/// What is not followed is read at every so many looks.
const TURNS: u32 = 6;

/// What is known about a function's replicas: how many are wanted, how many are ready, and since when they are there.
pub(crate) type Replicas = (u64, u64, i64);

pub(crate) struct Tracker {
    pub(crate) collector: Arc<Collector>,
    pub(crate) book: Arc<Book>,
    pub(crate) replicas: watch::Receiver<Replicas>,
    pub(crate) stop: CancellationToken,
}

impl Tracker {
    /// Goes on until it is stopped.
    pub(crate) async fn run(mut self) {
        let stop = self.stop.clone();
        stop.run_until_cancelled(self.read_on()).await;
        let _ = self.keep().await;
    }

    async fn read_on(&mut self) {
        let interval = self.collector.limits.interval;
        while let Err(error) = self.book.load().await {
            self.complain(&error, "what is kept of a function's log cannot be read");
            sleep(interval).await;
        }
        loop {
            let collector = Arc::clone(&self.collector);
            let turn = self.turn(&collector);
            let follow = turn.is_some();
            // Nothing runs that could write, and what wrote before has been read.
            let has_replicas = self.replicas.borrow_and_update().0 > 0;
            let is_read = has_replicas && self.keep().await.is_continue();
            let goes_on = is_read && self.read(&collector, follow).await;
            drop(turn);
            if !goes_on {
                self.pause(if follow { interval } else { interval * TURNS }).await;
            }
        }
    }

    /// The right to follow. Readers have some that nobody else gets.
    fn turn<'a>(&self, collector: &'a Collector) -> Option<SemaphorePermit<'a>> {
        let usual = collector.followed.try_acquire().ok();
        usual.or_else(|| collector.for_readers.try_acquire().ok().filter(|_| self.book.has_readers()))
    }

    /// Waits, unless there is a reason not to.
    async fn pause(&mut self, time: Duration) {
        tokio::select! {
            () = sleep(time) => {}
            _ = self.replicas.changed() => {}
            () = self.book.reader_came.notified() => {}
        }
    }

    /// One reading. True if there is more to be read at once.
    async fn read(&mut self, collector: &Collector, follow: bool) -> bool {
        // So that those that are read in turns do not come all at once.
        let _turn = match follow {
            true => None,
            false => collector.in_turns.acquire().await.ok(),
        };
        let mut progress = Progress::begin();
        let goes_on = self.take(&collector.gateway, follow, &mut progress).await.unwrap_or_else(|error| {
            self.mention(&error);
            false
        });
        self.book.set_current(false).await;
        if let Some(until) = progress.covers() {
            self.book.covers(until).await;
        }
        self.keep().await.is_continue() && goes_on
    }

    /// True if it came to its end because it was time.
    async fn take(&mut self, gateway: &Gateway, follow: bool, progress: &mut Progress) -> Result<bool, LogError> {
        let (mut before, since) = self.book.begin().await;
        let lines = source_log::open(gateway, &self.book.source, since, follow).await?;
        let mut lines = std::pin::pin!(lines.ready_chunks(TOGETHER));
        let (mut end, mut is_last) = (Instant::now() + READING, false);
        let mut looks = interval(self.collector.limits.interval);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                read = lines.next() => {
                    let Some(read) = read else {
                        progress.end();
                        return Ok(false);
                    };
                    let wanted = read.len();
                    let records: Vec<_> = read.into_iter().map_while(Result::ok).collect();
                    let is_broken = records.len() < wanted;
                    progress.took(&records);
                    let is_much = self.book.take(records, &mut before).await;
                    if is_broken || (is_much && self.keep().await.is_break()) {
                        return Ok(false);
                    }
                }
                _ = looks.tick() => {
                    progress.tick();
                    self.book.set_current(follow && progress.covers().is_some()).await;
                    if self.keep().await.is_break() {
                        return Ok(false);
                    }
                }
                _ = self.replicas.changed(), if !is_last => (end, is_last) = (Instant::now() + LAST_WORDS, true),
                () = sleep_until(end) => return Ok(follow),
            }
        }
    }

    /// Keeps what waits. Where that does not work no more is read: the gateway has it, and there is no room for it here.
    async fn keep(&self) -> ControlFlow<()> {
        match self.book.keep().await {
            Ok(is_more) => {
                if is_more {
                    self.collector.forget_old(&self.book.source).await;
                }
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.complain(&error, "a function's log cannot be kept");
                ControlFlow::Break(())
            }
        }
    }

    /// A gateway that is away is told of once, by who asks for all functions, and not for each of them.
    fn mention(&self, error: &LogError) {
        if matches!(error, LogError::Gateway(GatewayError::Refused { .. })) {
            self.complain(error, "a function's log is not to be had right now");
        } else {
            tracing::debug!(function = %self.book.source.name, error = chain(error), "a function's log is not to be had");
        }
    }

    fn complain(&self, error: &(dyn std::error::Error + 'static), sentence: &str) {
        tracing::warn!(function = %self.book.source.name, error = chain(error), "{sentence}");
    }
}
