//! What both questions have in common: who may ask, and how much at the same time.

use std::sync::Arc;

use axum::extract::FromRef;
use bytes::Bytes;
use http::StatusCode;
use sdk::failure::Failure;
use sdk::function_log::FunctionLogRequest;
use sdk::gateway::FunctionStatus;
use sdk::signing::Key;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::DropGuard;

use crate::book::{Book, BookError, View, unpacked};
use crate::collector::Collector;
use crate::layout::{Piece, Source};
use crate::wanted::Newest;

/// An answer that is made takes up to 50 MB for a moment.
const ANSWERS: usize = 4;
/// So many may wait for that.
const WAITING: usize = 64;
/// So many may read on.
const FOLLOWERS: usize = 500;

/// What a handler needs; the key differs between the two routes, so that a message for one is worthless at the other.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) key: Key,
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) collector: Arc<Collector>,
    pub(crate) followers: Arc<Semaphore>,
    answers: Semaphore,
    waiting: Semaphore,
    // Ends the collector with the last handler.
    _stop: DropGuard,
}

impl FromRef<Desk> for Key {
    fn from_ref(desk: &Desk) -> Self {
        desk.key.clone()
    }
}

impl Shared {
    pub(crate) fn new(collector: Arc<Collector>, stop: DropGuard) -> Self {
        Self {
            collector,
            followers: Arc::new(Semaphore::new(FOLLOWERS)),
            answers: Semaphore::new(ANSWERS),
            waiting: Semaphore::new(WAITING),
            _stop: stop,
        }
    }

    /// The function that is asked about, if it is the owner's. The gateway is asked each time, for it may have got another
    /// owner a moment ago.
    pub(crate) async fn function(&self, request: &FunctionLogRequest) -> Result<(Source, FunctionStatus), Failure> {
        let asked = self.collector.gateway.get(request.function.as_str()).await;
        let function = asked
            .map_err(|error| Failure::upstream("the gateway does not say whose function that is").because(error))?;
        let theirs = function.and_then(|function| Some((Source::of(&function)?, function)));
        theirs
            .filter(|(source, _)| source.is_of(&request.owner_id))
            .ok_or_else(|| Failure::not_found(format!("there is no function {}", request.function)))
    }

    /// The right to make an answer.
    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>, Failure> {
        let _waits = self.waiting.try_acquire().map_err(|_| busy())?;
        self.answers.acquire().await.map_err(|_| busy())
    }
}

pub(crate) fn busy() -> Failure {
    Failure::new(StatusCode::TOO_MANY_REQUESTS, "too many logs are being read; try again later")
}

/// Looks through a log, the newest first, until all that is wanted is found.
pub(crate) async fn search(book: &Book, view: &mut View, newest: &mut Newest) -> Result<(), BookError> {
    std::mem::take(&mut view.waiting).into_iter().for_each(|record| newest.offer(record));
    search_in(std::mem::take(&mut view.open), newest).await?;
    view.closed.sort_by_key(Piece::last);
    while let Some(piece) = view.closed.pop() {
        if !newest.has_room_for(piece.last()) {
            break;
        }
        if newest.may_want(&piece) {
            search_in(book.get(&piece).await?, newest).await?;
        }
    }
    Ok(())
}

async fn search_in(object: Bytes, newest: &mut Newest) -> Result<(), BookError> {
    let wanted = newest.wanted().clone();
    let found = unpacked(object, move |record| wanted.has(record)).await?;
    found.into_iter().for_each(|record| newest.offer(record));
    Ok(())
}

impl From<BookError> for Failure {
    fn from(error: BookError) -> Self {
        Failure::upstream("the store of functions' logs does not work right now").because(error)
    }
}
