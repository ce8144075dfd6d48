//! One function's log: what is kept, what is about to be, and who waits for more.

use std::io;

use bytes::{Bytes, BytesMut};
use object_store::{AnyStore, InvalidKey, Key, Store as _, StoreError};
use tokio::sync::{Mutex, MutexGuard, Notify, broadcast};

use crate::layout::{Piece, Source};
use crate::record::{Record, pack, unpack};
use crate::seen::{Before, Seen};

/// An object gets its last name when it has so many bytes, or so many bytes of text. Small enough to be written anew with each
/// few lines, and to be read where a few lines of it are wanted.
const FULL_PACKED: usize = 256 * 1024;
const FULL_PLAIN: usize = 4 * 1024 * 1024;
/// The bytes of an object, or of its text, that are read. The last lines of a full one may be long.
const MAX_PIECE: usize = 32 * 1024 * 1024;
/// A folder has at most so many objects.
const MAX_PIECES: usize = 20_000;
/// So much waits in memory at most before more is read.
const MAX_WAITING: usize = 1024 * 1024;
/// Lines that a reader may be behind.
const BEHIND: usize = 256;
/// How much of the log a new process looks at to see what is there already, in nanoseconds. Long enough for replicas that
/// were not heard of for a while.
const LOOK_BACK: u64 = 120_000_000_000;
/// At most so many objects are looked at for that.
const LOOK_AT: usize = 8;

/// A log that cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BookError {
    #[error("the store of functions' logs does not work")]
    Store(#[from] StoreError),
    #[error("a function's log has no name in the store")]
    Name(#[from] InvalidKey),
    #[error("lines of a log cannot be packed")]
    Packing(#[from] io::Error),
}

/// The log of one function.
pub(crate) struct Book {
    pub(crate) source: Source,
    folder: Key,
    store: AnyStore,
    state: Mutex<State>,
    live: broadcast::Sender<Record>,
    /// Somebody wants to read on, so that reading in turns is not enough.
    pub(crate) reader_came: Notify,
}

#[derive(Default)]
struct State {
    is_loaded: bool,
    seen: Seen,
    /// From when on the gateway is asked, in nanoseconds since 1970: all that any replica wrote before is taken.
    covered: u64,
    /// Nothing is known to be at the gateway that was not taken.
    is_current: bool,
    waiting: Vec<Record>,
    weight: usize,
    open: Option<Open>,
    next: u64,
}

/// The object that is written anew with each few lines.
#[derive(Debug, Clone, Copy)]
struct Open {
    plain: usize,
    first: u64,
    last: u64,
}

/// A log at one moment.
pub(crate) struct View {
    /// The newest lines.
    pub(crate) waiting: Vec<Record>,
    /// The object that is open.
    pub(crate) open: Bytes,
    /// The objects that do not change any more.
    pub(crate) closed: Vec<Piece>,
    /// What comes from then on, and nothing that is in the rest.
    pub(crate) live: broadcast::Receiver<Record>,
    /// Whether the gateway has nothing that is not here.
    pub(crate) is_current: bool,
}

impl Book {
    pub(crate) fn new(source: Source, store: AnyStore) -> Result<Self, InvalidKey> {
        let (folder, live) = (source.folder()?, broadcast::Sender::new(BEHIND));
        Ok(Self { source, folder, store, state: Mutex::default(), live, reader_came: Notify::new() })
    }

    /// True while somebody reads on.
    pub(crate) fn has_readers(&self) -> bool {
        self.live.receiver_count() > 0
    }

    /// Finds out what is kept, so that it is not taken again. Does nothing the second time.
    pub(crate) async fn load(&self) -> Result<(), BookError> {
        let mut state = self.state.lock().await;
        if state.is_loaded {
            return Ok(());
        }
        let pieces = self.pieces().await?;
        let mut fresh = State { next: pieces.last().map_or(0, |piece| piece.number), ..State::default() };
        for piece in pieces.iter().rev().take(LOOK_AT) {
            if piece.last() < fresh.seen.newest().saturating_sub(LOOK_BACK) {
                break;
            }
            let bytes = self.get(piece).await?;
            fresh.note(piece, bytes).await?;
        }
        if pieces.last().is_some_and(|piece| piece.span.is_some()) {
            fresh.next += 1;
        }
        fresh.covered = fresh.seen.newest().saturating_sub(LOOK_BACK);
        fresh.is_loaded = true;
        *state = fresh;
        Ok(())
    }

    /// What to compare a reading with, and from when on to read.
    pub(crate) async fn begin(&self) -> (Before, u64) {
        let state = self.state.lock().await;
        (state.seen.before(), state.covered)
    }

    /// Takes those lines that are new. True if there is so much that it has to be kept before more comes.
    pub(crate) async fn take(&self, records: Vec<Record>, before: &mut Before) -> bool {
        let mut state = self.state.lock().await;
        for record in records {
            if !before.knows(&record) {
                state.seen.note(&record);
                state.weight += record.weight();
                // Nobody may be there to read it.
                let _ = self.live.send(record.clone());
                state.waiting.push(record);
            }
        }
        state.weight > MAX_WAITING
    }

    /// All that was written before this time is taken.
    pub(crate) async fn covers(&self, until: u64) {
        let mut state = self.state.lock().await;
        state.covered = state.covered.max(until);
    }

    /// Whether the log is followed, and up to now.
    pub(crate) async fn set_current(&self, is_current: bool) {
        self.state.lock().await.is_current = is_current;
    }

    /// Keeps what waits. True if an object was begun or has got its last name, so that others may have to go.
    pub(crate) async fn keep(&self) -> Result<bool, BookError> {
        let mut state = self.state.lock().await;
        if state.waiting.is_empty() {
            return Ok(false);
        }
        let (member, plain) = pack(&state.waiting)?;
        let place = Piece { number: state.next, span: None };
        let mut bytes = match state.open {
            Some(_) => BytesMut::from(self.get(&place).await?),
            None => BytesMut::new(),
        };
        bytes.extend_from_slice(&member);
        let bytes = bytes.freeze();
        self.store.put(&place.key(&self.folder)?, bytes.clone()).await?;
        let is_begun = state.open.is_none();
        let open = state.kept(plain);
        let is_full = bytes.len() >= FULL_PACKED || open.plain >= FULL_PLAIN;
        if is_full {
            self.close(&mut state, open, bytes).await?;
        }
        Ok(is_begun || is_full)
    }

    async fn close(&self, state: &mut MutexGuard<'_, State>, open: Open, bytes: Bytes) -> Result<(), BookError> {
        let place = Piece { number: state.next, span: None };
        let last = Piece { span: Some((open.first, open.last)), ..place };
        self.store.put(&last.key(&self.folder)?, bytes).await?;
        (state.open, state.next) = (None, state.next + 1);
        // Where it stays, the other one of its number counts.
        if let Err(error) = self.store.delete(&place.key(&self.folder)?).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "an object of a function's log is left over");
        }
        Ok(())
    }

    /// Removes an object, whatever becomes of those lines.
    pub(crate) async fn forget(&self, piece: Piece) -> Result<(), BookError> {
        let mut state = self.state.lock().await;
        self.store.delete(&piece.key(&self.folder)?).await?;
        if piece.span.is_none() && piece.number == state.next {
            state.open = None;
        }
        Ok(())
    }

    /// The time of the newest line, as far as this process knows.
    pub(crate) async fn newest(&self) -> u64 {
        self.state.lock().await.seen.newest()
    }

    /// The log as it is now.
    pub(crate) async fn view(&self) -> Result<View, BookError> {
        let state = self.state.lock().await;
        let live = self.live.subscribe();
        let waiting = state.waiting.clone();
        let (open, closed): (Vec<_>, Vec<_>) = self.pieces().await?.into_iter().partition(|piece| piece.span.is_none());
        let mut bytes = Bytes::new();
        if let Some(piece) = open.last() {
            bytes = self.get(piece).await?;
        }
        Ok(View { waiting, open: bytes, closed, live, is_current: state.is_current })
    }

    /// An object's bytes; none where it has gone meanwhile.
    pub(crate) async fn get(&self, piece: &Piece) -> Result<Bytes, BookError> {
        let object = self.store.get(&piece.key(&self.folder)?, MAX_PIECE).await?;
        Ok(object.map(|object| object.bytes).unwrap_or_default())
    }

    /// The objects that there are, the oldest first. One that has its last name is not open, too.
    async fn pieces(&self) -> Result<Vec<Piece>, BookError> {
        let listed = self.store.list(&self.folder, MAX_PIECES).await?;
        let mut pieces: Vec<_> =
            listed.iter().filter_map(|object| Piece::parse(object.key.below(&self.folder)?)).collect();
        pieces.sort_by_key(|piece| (piece.number, piece.span.is_none()));
        pieces.dedup_by_key(|piece| piece.number);
        Ok(pieces)
    }
}

impl State {
    /// Looks at an object that was kept by another process.
    async fn note(&mut self, piece: &Piece, bytes: Bytes) -> Result<(), BookError> {
        let records = unpacked(bytes, |_| true).await?;
        if piece.span.is_none() {
            let plain = records.iter().map(Record::weight).sum();
            let first = records.iter().map(|record| record.at).min().unwrap_or(u64::MAX);
            let last = records.iter().map(|record| record.at).max().unwrap_or(0);
            self.open = Some(Open { plain, first, last });
        }
        records.iter().for_each(|record| self.seen.note(record));
        Ok(())
    }

    /// What waited is kept now.
    fn kept(&mut self, plain: usize) -> Open {
        let mut open = self.open.unwrap_or(Open { plain: 0, first: u64::MAX, last: 0 });
        open.plain += plain;
        for record in self.waiting.drain(..) {
            open.first = open.first.min(record.at);
            open.last = open.last.max(record.at);
        }
        self.weight = 0;
        self.open = Some(open);
        open
    }
}

/// Those lines of an object that are wanted. It is searched where that holds up nobody.
pub(crate) async fn unpacked(
    bytes: Bytes,
    is_wanted: impl Fn(&Record) -> bool + Send + 'static,
) -> Result<Vec<Record>, BookError> {
    let work = move || {
        let mut records = Vec::new();
        unpack(&bytes, MAX_PIECE as u64, |record| {
            if is_wanted(&record) {
                records.push(record);
            }
        });
        records
    };
    Ok(tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?)
}

#[cfg(test)]
mod tests;
