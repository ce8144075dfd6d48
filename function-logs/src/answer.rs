//! `/`: what is kept, and what the gateway has beyond that.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt as _;
use sdk::failure::{Failure, chain};
use sdk::function_log::FunctionLogRequest;
use sdk::signing::Signed;
use tokio::time::timeout;

use crate::book::Book;
use crate::desk::{Desk, Shared, search};
use crate::layout::Source;
use crate::record::Record;
use crate::source_log;
use crate::wanted::{Newest, Wanted};

/// How long the gateway's part may take.
const GATEWAY_TIME: Duration = Duration::from_secs(5);
/// How much older than the newest kept line a line may be that is not kept, in nanoseconds.
const OVERLAP: u64 = 120_000_000_000;
/// At most so many lines are read at the gateway.
const GATEWAY_LINES: usize = 100_000;

pub(crate) async fn receive(
    State(desk): State<Desk>,
    Signed { message: request, .. }: Signed<FunctionLogRequest>,
) -> Result<Response, Failure> {
    let wanted = Wanted::of(&request)?;
    let (source, function) = desk.shared.function(&request).await?;
    let _turn = desk.shared.turn().await?;
    let tracked = desk.shared.collector.track(&source, &function);
    let book = tracked.map_or_else(|| untracked(&desk.shared, source), Ok)?;
    let records = find(&desk.shared, &book, wanted).await?;
    let headers = [("content-type", "application/x-ndjson"), ("cache-control", "no-store")];
    Ok((headers, ndjson(records)).into_response())
}

/// A log that is read and not taken.
fn untracked(shared: &Shared, source: Source) -> Result<Arc<Book>, Failure> {
    let book = Book::new(source, shared.collector.store.clone());
    book.map(Arc::new).map_err(|error| Failure::from(crate::book::BookError::from(error)))
}

async fn find(shared: &Shared, book: &Book, wanted: Wanted) -> Result<Vec<Record>, Failure> {
    let mut view = book.view().await?;
    let mut newest = Newest::new(wanted.clone());
    search(book, &mut view, &mut newest).await?;
    if !view.is_current {
        add_news(shared, &book.source, &wanted, &mut newest).await;
    }
    Ok(newest.finish())
}

/// What the gateway has and nobody has taken yet. Without it, an answer is as good as what is kept.
async fn add_news(shared: &Shared, source: &Source, wanted: &Wanted, newest: &mut Newest) {
    let last = newest.records().iter().map(|record| record.at).max().unwrap_or(0);
    let since = wanted.since.max(last.saturating_sub(OVERLAP));
    let mut known: HashMap<(u64, u64), u32> = HashMap::new();
    for record in newest.records().iter().filter(|record| record.at >= since) {
        *known.entry(record.mark()).or_default() += 1;
    }
    let reading = async {
        let lines = source_log::open(&shared.collector.gateway, source, since, false).await.map_err(|e| chain(&e))?;
        let mut lines = std::pin::pin!(lines);
        for _ in 0..GATEWAY_LINES {
            let Some(record) = lines.try_next().await.map_err(|error| error.to_string())? else { break };
            match known.get_mut(&record.mark()) {
                Some(left) if *left > 0 => *left -= 1,
                _ => newest.offer(record),
            }
        }
        Ok::<(), String>(())
    };
    let error = timeout(GATEWAY_TIME, reading).await.unwrap_or_else(|_| Err("it takes too long".to_owned())).err();
    if let Some(error) = error {
        tracing::warn!(function = %source.name, error, "a log is answered without what only the gateway has");
    }
}

fn ndjson(records: Vec<Record>) -> Vec<u8> {
    let mut text = Vec::new();
    for record in records {
        text.extend(line(record));
    }
    text
}

/// One line of an answer.
pub(crate) fn line(record: Record) -> Vec<u8> {
    let mut json = serde_json::to_vec(&record.into_line()).unwrap_or_default();
    json.push(b'\n');
    json
}
