//! How many calls a second go through a queue: stored, claimed and settled, all at the same time.
//!
//! `throughput <calls>` measures the embedded store, `throughput <calls> <host:port>` a NATS server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use queue::{Call, DEFAULT_QUEUE, Head, Lane, Nats, Options, Queue, Verdict, Want};
use tokio::task::JoinSet;

const SENDERS: usize = 128;
const FUNCTIONS: usize = 10;
/// Calls of one function that run at once.
const AT_ONCE: usize = 16;
const BODY: usize = 512;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let calls = arguments.next().unwrap_or_default().parse().unwrap_or(100_000);
    let folder = tempfile::tempdir_in(".")?;
    let queue = match arguments.next() {
        None => queue::embedded(folder.path(), Options::default()).await?,
        Some(address) => queue::jetstream(folder.path(), Nats::at(address), Options::default()).await?,
    };
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        senders.spawn(send(queue.clone(), sender, calls / SENDERS));
    }
    let done = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for function in 0..FUNCTIONS {
        workers.spawn(work(queue.clone(), lane(function), Arc::clone(&done)));
    }
    senders.join_all().await;
    let stored = began.elapsed();
    let all = calls / SENDERS * SENDERS;
    while done.load(Ordering::Relaxed) < all {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let ended = began.elapsed();
    let rate = |took: Duration| all as f64 / took.as_secs_f64();
    println!("{all} calls of {BODY} bytes: stored {:.0}/s, end to end {:.0}/s", rate(stored), rate(ended));
    workers.shutdown().await;
    queue.close().await?;
    Ok(())
}

fn lane(function: usize) -> Lane {
    Lane::new(DEFAULT_QUEUE, format!("function-{function}.openfaas-fn"))
}

async fn send(queue: Queue, sender: usize, calls: usize) {
    let headers = HeaderMap::from_iter([
        (http::header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (http::header::USER_AGENT, HeaderValue::from_static("throughput")),
    ]);
    for call in 0..calls {
        let (lane, call_id) = (lane(call % FUNCTIONS), format!("{sender:08}-{call:08}"));
        let head = Head { lane, call_id, method: Method::POST, path: "/".to_owned(), headers: headers.clone() };
        let mut spool = queue.spool(head);
        let stored = async {
            spool.write(Bytes::from_static(&[b'x'; BODY])).await?;
            spool.enqueue().await
        };
        if let Err(error) = stored.await {
            eprintln!("a call is not stored: {error}");
        }
    }
}

/// Claims as the gateway's worker does: again when a call has ended.
async fn work(queue: Queue, lane: Lane, done: Arc<AtomicUsize>) {
    let mut running = JoinSet::new();
    loop {
        let want = Want { lane: lane.clone(), calls: AT_ONCE - running.len() };
        match queue.claim(vec![want]).await {
            Ok(claimed) => {
                for call in claimed.into_iter().flat_map(|claimed| claimed.calls) {
                    running.spawn(end(queue.clone(), call, Arc::clone(&done)));
                }
            }
            Err(error) => eprintln!("nothing can be claimed: {error}"),
        }
        if running.join_next().await.is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        while running.try_join_next().is_some() {}
    }
}

async fn end(queue: Queue, call: Call, done: Arc<AtomicUsize>) {
    match queue.settle(call.ticket, Verdict::Done).await {
        Ok(()) => drop(done.fetch_add(1, Ordering::Relaxed)),
        Err(error) => eprintln!("the end of a call is not recorded: {error}"),
    }
}
