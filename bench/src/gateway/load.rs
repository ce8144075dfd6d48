//! Load that `wrk` does not make: exactly so many messages, and requests at a steady rate.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Connections of [`post_all`], as `wrk` has here.
pub(super) const CONNECTIONS: usize = 64;
/// A message's length, that of a small event.
const MESSAGE: usize = 256;
/// An answer that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// The message with this number.
pub(super) fn message(number: u64) -> Bytes {
    Bytes::from(format!("{number:<MESSAGE$}"))
}

/// Posts each of these messages once and expects 202. `wrk` ends with requests under way, and what became of those
/// is unknown.
pub(super) async fn post_all(url: &str, numbers: Range<u64>) -> Result<()> {
    let uri: Uri = url.parse()?;
    let next = Arc::new(AtomicU64::new(numbers.start));
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        connections.spawn(post_some(uri.clone(), Arc::clone(&next), numbers.end));
    }
    while let Some(ended) = connections.join_next().await {
        ended??;
    }
    Ok(())
}

async fn post_some(uri: Uri, next: Arc<AtomicU64>, end: u64) -> Result<()> {
    let authority = uri.authority().context("the address has no host")?.to_string();
    let stream = TcpStream::connect(&authority).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            return Ok(());
        }
        post(&mut sender, &uri, &authority, number).await?;
    }
}

async fn post(sender: &mut SendRequest<Full<Bytes>>, uri: &Uri, host: &str, number: u64) -> Result<()> {
    let request = Request::post(uri.path()).header(HOST, host).header(CONTENT_TYPE, "text/plain");
    let answer = sender.send_request(request.body(Full::new(message(number)))?).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    ensure!(status == StatusCode::ACCEPTED, "a message was answered with {status}: {}", String::from_utf8_lossy(&body));
    Ok(())
}

/// What became of requests at a steady rate.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// How many there were.
    pub(super) sent: usize,
    /// Why how many got no good answer.
    pub(super) reasons: BTreeMap<String, usize>,
    /// The longest time to a good answer.
    pub(super) slowest_ms: f64,
}

impl Outcome {
    /// Requests without a good answer.
    pub(super) fn lost(&self) -> usize {
        self.reasons.values().sum()
    }

    fn add(&mut self, answered: Result<f64, String>) {
        match answered {
            Ok(ms) => self.slowest_ms = self.slowest_ms.max(ms),
            Err(reason) => *self.reasons.entry(reason).or_default() += 1,
        }
    }
}

/// Sends `rate` requests a second until it is enough, whether or not those before were answered: a load that waits
/// for answers would spare a gateway that has none.
pub(super) async fn steady(
    client: reqwest::Client,
    url: String,
    rate: u32,
    enough: CancellationToken,
) -> Result<Outcome> {
    let mut turn = interval(Duration::from_secs(1) / rate);
    turn.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut requests, mut outcome) = (JoinSet::new(), Outcome::default());
    loop {
        tokio::select! {
            () = enough.cancelled() => break,
            Some(ended) = requests.join_next(), if !requests.is_empty() => outcome.add(ended?),
            _ = turn.tick() => {
                outcome.sent += 1;
                requests.spawn(ask(client.clone(), url.clone()));
            }
        }
    }
    while let Some(ended) = requests.join_next().await {
        outcome.add(ended?);
    }
    Ok(outcome)
}

/// A POST, because nobody may repeat one unasked.
async fn ask(client: reqwest::Client, url: String) -> Result<f64, String> {
    let began = Instant::now();
    let answer = client.post(&url).body("x").timeout(PATIENCE).send().await.map_err(|error| format!("{error:#}"))?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| format!("{error:#}"))?;
    if status.is_success() { Ok(began.elapsed().as_secs_f64() * 1e3) } else { Err(format!("{status} {text}")) }
}
