//! Queues what is due.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use queue::{Enqueued, Head, Lane, QueueError};

use super::book::{Book, Candidate, Run};
use super::schedule::CRON_TOPIC;
use super::ticks::next_minute;
use crate::app::App;
use crate::functions::{Backend, Function};
use crate::invoke::{Marks, X_CALL_ID};

const X_TOPIC: HeaderName = HeaderName::from_static("x-topic");
const X_CONNECTOR: HeaderName = HeaderName::from_static("x-connector");
/// Pause after the queue refused a run (a full disk).
const TROUBLE: Duration = Duration::from_secs(5);

/// Until the gateway closes.
pub(crate) async fn run(app: Arc<App>) {
    let mut book = Book::open(&app.config.data_dir, app.config.cron_missed_window);
    while !app.closing.is_cancelled() {
        // Never broken off: what was queued is to be written down.
        let again = look(&app, &mut book, Utc::now()).await;
        next_minute(Utc::now(), again, &app.closing).await;
    }
}

/// Answers with a pause if it has to look again before the minute is over.
async fn look(app: &App, book: &mut Book, now: DateTime<Utc>) -> Option<Duration> {
    let candidates: Vec<_> = app.functions.all().iter().map(|function| candidate(function)).collect();
    let mut again = None;
    for run in book.due(now, &candidates) {
        match enqueue(app, &run).await {
            Ok(()) => book.done(&run),
            Err(error) => {
                tracing::error!(function = %run.id, at = %run.at, %error, "A run cannot be queued; it is tried again.");
                again = Some(TROUBLE);
            }
        }
    }
    // One that could not be taken over yet is not gone.
    if app.complete.load(Ordering::Relaxed) {
        book.forget_others(&candidates);
    }
    let Some(page) = book.changed_page() else { return again };
    let written = tokio::task::spawn_blocking(move || page.write()).await;
    if let Err(error) = written.map_err(std::io::Error::other).flatten() {
        tracing::error!(%error, "That runs were queued cannot be written down; after a restart they may be made again.");
        book.is_unwritten();
    }
    again
}

fn candidate(function: &Function) -> Candidate {
    let annotations = match &function.backend {
        Backend::Platform(platform) => platform.annotations.clone(),
        Backend::Containers(containers) => containers.spec.annotations.clone(),
    };
    Candidate { id: function.id.clone(), annotations, since: function.created_at }
}

async fn enqueue(app: &App, run: &Run) -> Result<(), QueueError> {
    let call_id = format!("cron-{}-{}", run.id, run.at.format("%Y%m%dT%H%M%SZ"));
    let mut headers = HeaderMap::new();
    headers.insert(X_CALL_ID, HeaderValue::try_from(&call_id).unwrap_or(HeaderValue::from_static("cron")));
    headers.insert(X_TOPIC, HeaderValue::from_static(CRON_TOPIC));
    headers.insert(X_CONNECTOR, HeaderValue::from_static("cron-connector"));
    Marks::stamp(&mut headers, &HeaderValue::from_static("127.0.0.1"));
    let function = app.functions.get(&run.id);
    let own =
        function.as_deref().and_then(Function::containers).and_then(|own| own.settings.asynchronous.queue.as_deref());
    let queue = own.unwrap_or(&app.config.queueing.queue);
    let lane = Lane::new(queue, run.id.to_string());
    let head = Head { lane, call_id, method: Method::POST, path: "/".to_owned(), headers };
    if app.queue.spool(head).enqueue().await? == Enqueued::New {
        app.metrics.queues.submitted(queue);
    }
    tracing::info!(function = %run.id, at = %run.at, "A run was queued.");
    Ok(())
}
