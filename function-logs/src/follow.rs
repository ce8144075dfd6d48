//! `/follow`: a log, and what comes.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use sdk::failure::Failure;
use sdk::function_log::{FunctionLogRequest, MAX_OLD_LINES};
use sdk::signing::Signed;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::answer::line;
use crate::desk::{Desk, busy, search};
use crate::progress;
use crate::record::Record;
use crate::wanted::{Newest, Wanted};

pub(crate) async fn receive(
    State(desk): State<Desk>,
    Signed { message: request, .. }: Signed<FunctionLogRequest>,
) -> Result<Response, Failure> {
    let mut wanted = Wanted::of(&request)?.without_end();
    wanted.lines = wanted.lines.min(MAX_OLD_LINES);
    let place = desk.shared.followers.clone().try_acquire_owned().map_err(|_| busy())?;
    let (source, function) = desk.shared.function(&request).await?;
    let book = desk.shared.collector.track(&source, &function).ok_or_else(busy)?;
    let turn = desk.shared.turn().await?;
    let mut view = book.view().await?;
    let mut newest = Newest::new(wanted.clone());
    search(&book, &mut view, &mut newest).await?;
    drop(turn);
    book.reader_came.notify_one();
    // The book itself must not be kept: its end is the answer's end.
    let old = stream::iter(newest.finish()).map(|record| Ok(Bytes::from(line(record))));
    let lines = old.chain(live(view.live, wanted, place));
    let headers = [("content-type", "application/x-ndjson"), ("cache-control", "no-store")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// The lines that come, until the function goes or gets another owner, or the reader leaves.
fn live(
    lines: Receiver<Record>,
    wanted: Wanted,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    stream::unfold((lines, wanted, place), |(mut lines, wanted, place)| async move {
        let next = loop {
            match lines.recv().await {
                Ok(record) if wanted.has(&record) => break record,
                Ok(_) => {}
                Err(RecvError::Lagged(count)) => break left_out(count),
                Err(RecvError::Closed) => return None,
            }
        };
        Some((Ok(Bytes::from(line(next))), (lines, wanted, place)))
    })
}

/// Says how much a slow reader missed.
fn left_out(count: u64) -> Record {
    let text = format!("({count} lines are left out here: they came faster than they were read)");
    Record { at: progress::now(), instance: String::new(), text }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Semaphore, broadcast};

    use super::*;

    #[tokio::test]
    async fn a_slow_reader_is_told_what_it_missed_and_the_end_gives_the_place_back() {
        let request = r#"{"owner_id":{"host":"git.localhost","id":7},"function":"alice-a","grep":"yes"}"#;
        let wanted = Wanted::of(&serde_json::from_str(request).unwrap()).unwrap();
        let places = Arc::new(Semaphore::new(1));
        let (sender, receiver) = broadcast::channel(2);
        let lines = live(receiver, wanted, Arc::clone(&places).try_acquire_owned().unwrap());
        for text in ["yes 1", "yes 2", "no", "yes 3"] {
            sender.send(Record { at: 1, instance: "a".to_owned(), text: text.to_owned() }).unwrap();
        }
        drop(sender);
        assert_eq!(places.available_permits(), 0);
        let text: Vec<_> = lines.map(|line| String::from_utf8(line.unwrap().to_vec()).unwrap()).collect().await;
        assert_eq!(text.len(), 2, "{text:?}");
        assert!(text[0].contains("(2 lines are left out") && text[1].contains("yes 3"), "{text:?}");
        assert_eq!(places.available_permits(), 1);
    }
}
