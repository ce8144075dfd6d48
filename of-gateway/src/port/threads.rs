//! Threads that serve connections. Each reads a request, sends it on and answers it by itself, over connections to the
//! containers that no other thread uses: nothing is handed over and nobody is woken on another core.
//!
//! They serve what is most of the traffic, calls of containers. All else is done [at home](at_home), by the runtime that
//! the gateway was started on, where it may begin what goes on after its connection and after the threads.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

thread_local! {
    static INDEX: Cell<usize> = const { Cell::new(0) };
}

/// Which of the threads this one is, from 1 on; 0 if it is none of them.
pub(crate) fn index() -> usize {
    INDEX.get()
}

/// How many threads there are: one for each core.
pub(crate) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Does something on the runtime that the gateway was started on. It is given up with the future.
pub(crate) async fn at_home<T: Send + 'static>(home: &Handle, work: impl Future<Output = T> + Send + 'static) -> T {
    if index() == 0 {
        return work.await;
    }
    let done = AbortOnDropHandle::new(home.spawn(work.in_current_span())).await;
    match done.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        // That runtime has ended, and this one is about to.
        Err(Err(_)) => std::future::pending().await,
    }
}

/// They end when this is dropped, with all that they are at.
#[derive(Debug)]
pub(crate) struct Threads {
    runtimes: Vec<Handle>,
    next: AtomicUsize,
    _end: DropGuard,
}

impl Threads {
    /// Starts them.
    ///
    /// # Errors
    /// When the system gives no more threads or file handles.
    pub(crate) fn start() -> std::io::Result<Self> {
        let end = CancellationToken::new();
        let runtimes = (1..=count()).map(|index| start(index, end.clone())).collect::<Result<_, _>>()?;
        Ok(Self { runtimes, next: AtomicUsize::new(0), _end: end.drop_guard() })
    }

    /// One for a new connection: each in its turn.
    pub(crate) fn next(&self) -> Option<&Handle> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.runtimes.get(next % self.runtimes.len().max(1))
    }
}

fn start(index: usize, end: CancellationToken) -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    // Who embeds a gateway may have said where its log goes on this thread alone.
    let log = tracing::dispatcher::get_default(Clone::clone);
    std::thread::Builder::new().name(format!("gateway-{index}")).spawn(move || {
        INDEX.set(index);
        let _log = tracing::dispatcher::set_default(&log);
        runtime.block_on(end.cancelled());
        runtime.shutdown_background();
    })?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_connection_gets_the_next_thread_and_what_is_rare_comes_home() {
        let (threads, home) = (Threads::start().unwrap(), Handle::current());
        let here = std::thread::current().id();
        let mut seen = Vec::new();
        for _ in 0..2 * count() {
            let home = home.clone();
            let there = threads.next().unwrap().spawn(async move {
                let at_home = at_home(&home, async { (index(), std::thread::current().id()) }).await;
                (index(), at_home)
            });
            let (index, at_home) = there.await.unwrap();
            assert_eq!(at_home, (0, here));
            seen.push(index);
        }
        let once: Vec<usize> = (1..=count()).collect();
        assert_eq!(seen, [once.clone(), once].concat());
    }

    #[tokio::test]
    async fn what_waits_is_given_up_with_its_connection_and_a_panic_comes_back() {
        let (threads, home) = (Threads::start().unwrap(), Handle::current());
        let (held, given_up) = tokio::sync::oneshot::channel::<()>();
        let (there, of_there) = (threads.next().unwrap(), home.clone());
        let waiting = there.spawn(async move {
            at_home(&of_there, async move {
                let _held = held;
                std::future::pending::<()>().await
            })
            .await;
        });
        tokio::task::yield_now().await;
        waiting.abort();
        assert!(given_up.await.is_err());
        let panicking = there.spawn(async move { at_home(&home, async { panic!("as it should") }).await });
        assert!(panicking.await.unwrap_err().is_panic());
    }

    #[tokio::test]
    async fn they_end_with_what_they_are_at() {
        let threads = Threads::start().unwrap();
        let (held, ended) = tokio::sync::oneshot::channel::<()>();
        threads.next().unwrap().spawn(async move {
            let _held = held;
            std::future::pending::<()>().await
        });
        drop(threads);
        assert!(ended.await.is_err());
    }
}
