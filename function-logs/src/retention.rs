//! How much is kept of one owner's functions: the objects with the oldest lines go.

use std::cmp::Reverse;

use object_store::{AnyStore, Listed, Store as _};

use crate::book::{Book, BookError};
use crate::collector::Collector;
use crate::layout::{Piece, Source};

/// One owner has at most so many objects.
const MAX_OBJECTS: usize = 100_000;

/// An object that may have to go.
struct Candidate {
    function: String,
    piece: Piece,
    bytes: u64,
    /// When its last line was written.
    last: u64,
}

/// Removes what is too much of the owner of this function.
pub(crate) async fn apply(collector: &Collector, store: &AnyStore, source: &Source, max: u64) -> Result<(), BookError> {
    let folder = source.owner_folder()?;
    let listed = store.list(&folder, MAX_OBJECTS).await?;
    let mut bytes: u64 = listed.iter().map(|object| object.bytes).sum();
    if bytes <= max {
        return Ok(());
    }
    let mut candidates = Vec::new();
    for Listed { key, bytes } in &listed {
        let Some((function, piece)) = key.below(&folder).and_then(|rest| rest.split_once('/')) else { continue };
        let Some(piece) = Piece::parse(piece) else { continue };
        // What nobody writes any more is the first to go.
        let known = collector.find(&source.sibling(function));
        let last = match (piece.span, known) {
            (Some((_, last)), _) => last,
            (None, Some(book)) => book.newest().await,
            (None, None) => 0,
        };
        candidates.push(Candidate { function: function.to_owned(), piece, bytes: *bytes, last });
    }
    candidates.sort_by_key(|candidate| Reverse(candidate.last));
    while bytes > max {
        let Some(oldest) = candidates.pop() else { break };
        let its = source.sibling(&oldest.function);
        let book = collector.find(&its).map_or_else(|| Book::new(its, store.clone()).map(Into::into), Ok)?;
        book.forget(oldest.piece).await?;
        bytes = bytes.saturating_sub(oldest.bytes);
    }
    Ok(())
}
