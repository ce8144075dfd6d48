//! Finds out which functions there are, and has the log of each taken.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use object_store::AnyStore;
use sdk::failure::chain;
use sdk::gateway::{FunctionStatus, Gateway};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::book::Book;
use crate::config::Limits;
use crate::layout::Source;
use crate::retention;
use crate::tracker::{Replicas, Tracker};

/// At most so many functions.
const MAX_FUNCTIONS: usize = 5000;
/// So many more may be followed where somebody reads on.
const FOR_READERS: usize = 32;
/// So many of those that are not followed are read at the same time.
const IN_TURNS: usize = 4;

pub(crate) struct Collector {
    pub(crate) gateway: Gateway,
    pub(crate) store: AnyStore,
    pub(crate) limits: Limits,
    /// Who follows.
    pub(crate) followed: Semaphore,
    pub(crate) for_readers: Semaphore,
    pub(crate) in_turns: Semaphore,
    taken: Mutex<HashMap<Source, Taken>>,
    runtime: Handle,
    stop: CancellationToken,
}

/// A function whose log is taken.
struct Taken {
    book: Arc<Book>,
    replicas: watch::Sender<Replicas>,
    stop: CancellationToken,
}

impl Collector {
    /// Collects in the background until `stop`.
    pub(crate) fn begin(
        gateway: Gateway,
        store: AnyStore,
        limits: Limits,
        runtime: Handle,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let collector = Arc::new(Self {
            gateway,
            store,
            limits,
            followed: Semaphore::new(limits.followed),
            for_readers: Semaphore::new(FOR_READERS),
            in_turns: Semaphore::new(IN_TURNS),
            taken: Mutex::default(),
            runtime,
            stop,
        });
        let work = Arc::clone(&collector);
        let until = collector.stop.clone();
        collector.runtime.spawn(async move { until.run_until_cancelled(work.look_again_and_again()).await });
        collector
    }

    async fn look_again_and_again(self: Arc<Self>) {
        loop {
            match self.gateway.list().await {
                Ok(functions) => self.adopt(&functions),
                Err(error) => tracing::warn!(error = chain(&error), "it cannot be told which functions there are"),
            }
            sleep(self.limits.interval).await;
        }
    }

    /// Goes on with these functions and no others.
    fn adopt(self: &Arc<Self>, functions: &[FunctionStatus]) {
        let there: HashMap<_, _> =
            functions.iter().filter_map(|function| Some((Source::of(function)?, function))).collect();
        self.taken().retain(|source, taken| {
            let stays = there.contains_key(source);
            if !stays {
                taken.stop.cancel();
            }
            stays
        });
        let too_many = there.into_iter().filter(|(source, function)| self.track(source, function).is_none()).count();
        if too_many > 0 {
            tracing::warn!(too_many, "there are more functions than logs that can be kept");
        }
    }

    /// The log of a function that is there, which is taken from now on; `None` where there are too many already.
    pub(crate) fn track(self: &Arc<Self>, source: &Source, function: &FunctionStatus) -> Option<Arc<Book>> {
        let mut all = self.taken();
        let is_full = all.len() >= MAX_FUNCTIONS;
        match all.entry(source.clone()) {
            Entry::Occupied(taken) => {
                let now = replicas(function);
                taken.get().replicas.send_if_modified(|known| std::mem::replace(known, now) != now);
                Some(Arc::clone(&taken.get().book))
            }
            Entry::Vacant(_) if is_full => None,
            Entry::Vacant(place) => {
                let taken = self.take(source, function)?;
                Some(Arc::clone(&place.insert(taken).book))
            }
        }
    }

    fn take(self: &Arc<Self>, source: &Source, function: &FunctionStatus) -> Option<Taken> {
        let book = Arc::new(Book::new(source.clone(), self.store.clone()).ok()?);
        let (sender, receiver) = watch::channel(replicas(function));
        let stop = self.stop.child_token();
        let tracker =
            Tracker { collector: Arc::clone(self), book: Arc::clone(&book), replicas: receiver, stop: stop.clone() };
        self.runtime.spawn(tracker.run());
        Some(Taken { book, replicas: sender, stop })
    }

    /// The log of a function, if it is taken.
    pub(crate) fn find(&self, source: &Source) -> Option<Arc<Book>> {
        self.taken().get(source).map(|taken| Arc::clone(&taken.book))
    }

    /// Removes what is too much of an owner. Nobody waits for it, and the next object is another try.
    pub(crate) async fn forget_old(&self, source: &Source) {
        if let Err(error) = retention::apply(self, &self.store, source, self.limits.max_bytes).await {
            tracing::warn!(error = chain(&error), "old logs of functions could not be removed");
        }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Source, Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn replicas(function: &FunctionStatus) -> Replicas {
    let created = function.created_at.map_or(0, |time| time.timestamp_millis());
    (function.replicas, function.available_replicas, created)
}
