//! A queue of its own for each test, in either store.

pub(crate) mod disk;
pub(crate) mod nats;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt;
use queue::{Body, Call, Claimed, Enqueued, Head, Lane, Nats, Options, Queue, QueueError, Verdict, Want};
use tempfile::TempDir;

use self::nats::NatsServer;

pub(crate) const QUEUE: &str = "faas-request";
/// Long enough for a loaded machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Where a queue lives on when it is closed.
pub(crate) struct Home {
    pub(crate) folder: TempDir,
    pub(crate) nats: Option<NatsServer>,
}

impl Home {
    pub(crate) fn embedded() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), nats: None }
    }

    pub(crate) fn jetstream() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), nats: Some(NatsServer::start()) }
    }

    pub(crate) async fn open(&self) -> Queue {
        self.open_with(Options::default()).await
    }

    pub(crate) async fn open_with(&self, options: Options) -> Queue {
        self.try_open(options).await.unwrap()
    }

    pub(crate) async fn try_open(&self, options: Options) -> Result<Queue, QueueError> {
        match &self.nats {
            None => queue::embedded(self.folder.path(), options).await,
            Some(nats) => queue::jetstream(self.folder.path(), Nats::at(nats.address()), options).await,
        }
    }

    pub(crate) fn bodies(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("bodies")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| !path.ends_with(".lock")).collect()
    }
}

/// Options with other limits.
pub(crate) fn limited(calls: usize, dead: usize) -> Options {
    let mut options = Options::default();
    options.limits.calls = calls;
    options.limits.dead = dead;
    options
}

/// Options with a lease that is soon lost.
pub(crate) fn short_lease() -> Options {
    Options { lease: Duration::from_millis(800), ..Options::default() }
}

pub(crate) fn lane(function: &str) -> Lane {
    Lane::new(QUEUE, function)
}

pub(crate) fn head(function: &str, call_id: &str) -> Head {
    let mut headers = HeaderMap::new();
    headers.append("x-a", HeaderValue::from_static("1"));
    headers.append("x-a", HeaderValue::from_bytes(b"2 \xff").unwrap());
    Head { lane: lane(function), call_id: call_id.into(), method: Method::POST, path: "/p?q=1".into(), headers }
}

/// In pieces, as a request's body comes in.
pub(crate) async fn enqueue_body(queue: &Queue, head: Head, body: &[u8]) -> Result<Enqueued, QueueError> {
    let mut spool = queue.spool(head);
    for piece in body.chunks(50_000) {
        spool.write(Bytes::copy_from_slice(piece)).await?;
    }
    spool.enqueue().await
}

pub(crate) async fn enqueue(queue: &Queue, function: &str, call_id: &str) -> Enqueued {
    enqueue_body(queue, head(function, call_id), b"\0body\r\n").await.unwrap()
}

pub(crate) async fn claim_lane(queue: &Queue, lane: Lane, calls: usize) -> Claimed {
    queue.claim(vec![Want { lane, calls }]).await.unwrap().remove(0)
}

pub(crate) async fn claim(queue: &Queue, function: &str, calls: usize) -> Vec<Call> {
    claim_lane(queue, lane(function), calls).await.calls
}

/// Claims the one call that is, or becomes, due.
pub(crate) async fn claim_one(queue: &Queue, function: &str) -> Call {
    eventually("a call", async || claim(queue, function, 1).await.pop()).await
}

pub(crate) async fn settle(queue: &Queue, call: &Call, verdict: Verdict) {
    queue.settle(call.ticket, verdict).await.unwrap();
}

pub(crate) fn dead(status: u16, reason: &str) -> Verdict {
    Verdict::Dead { status, reason: reason.into() }
}

/// Enqueues a call and gives it up.
pub(crate) async fn bury(queue: &Queue, function: &str, call_id: &str) {
    enqueue(queue, function, call_id).await;
    let call = claim_one(queue, function).await;
    settle(queue, &call, dead(400, "wrong")).await;
}

pub(crate) fn ids(calls: &[Call]) -> Vec<&str> {
    let mut ids: Vec<_> = calls.iter().map(|call| call.head.call_id.as_str()).collect();
    ids.sort_unstable();
    ids
}

pub(crate) async fn read(body: &Body) -> Bytes {
    body.open().await.unwrap().collect().await.unwrap().to_bytes()
}

/// Asks until the answer is there; a test that waits in vain says for what.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + DEADLINE;
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < until, "in vain: {what}");
        pause.tick().await;
    }
}
