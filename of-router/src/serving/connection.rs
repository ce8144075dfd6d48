//! One client's connection, whatever carries it: plain TCP or TLS, HTTP/1.1 or HTTP/2.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::Context;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http::header::HeaderValue;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use upstream::express::Plain;
use upstream::{Bounds, ClientBody, Served};

use super::Serving;
use super::address::Counted;
use super::door::Door;
use super::taking::Streams;
use super::watched::Watched;
use super::worker::Worker;
use crate::express;

/// How a connection of HTTP/2 begins; no method is called so.
const PREFACE: [u8; 4] = *b"PRI ";
/// What a stream of HTTP/2 may have under way before we have read it, and what all may have together.
const WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How much of an answer may wait for the window of the client, for each stream.
const SEND_BUFFER: usize = 128 * 1024;
/// A connection that resets more streams than these before they did anything is closed.
const RESETS: usize = 20;
const LOCAL_RESETS: usize = 128;
/// A silent connection of HTTP/2 is asked whether it is still there.
const PING: Duration = Duration::from_secs(30);

/// What is spoken on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Nobody said: the first bytes tell.
    Unknown,
    /// Agreed on: HTTP/1.1.
    Http1,
    /// Agreed on: HTTP/2.
    Http2,
}

/// One connection's place, held until the connection and every tunnel made from it have ended.
pub(crate) type Slot = Arc<Conn>;

/// What is known of a connection while it lives. Times are milliseconds since the worker began, from 1 on; 0 is never.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) client: SocketAddr,
    pub(crate) door: Door,
    /// The client's address as it is told to services.
    pub(crate) address: HeaderValue,
    pub(crate) retire: Notify,
    began: Instant,
    http2: AtomicBool,
    parking: AtomicBool,
    parked: AtomicBool,
    open: AtomicU32,
    served: AtomicU64,
    idle_since: AtomicU64,
    head_since: AtomicU64,
    blocked_since: AtomicU64,
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

/// What a connection waits for, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// For a request to begin.
    Idle(u64),
    /// For a request's head to come to its end.
    Head(u64),
    /// For the client to take what it is sent.
    Reader(u64),
}

impl Conn {
    pub(crate) fn new(
        client: SocketAddr,
        door: Door,
        began: Instant,
        place: OwnedSemaphorePermit,
        counted: Counted,
    ) -> Slot {
        let address = HeaderValue::from_str(&client.ip().to_canonical().to_string());
        let this = Self {
            client,
            door,
            address: address.unwrap_or_else(|_| HeaderValue::from_static("unknown")),
            retire: Notify::new(),
            began,
            http2: AtomicBool::new(false),
            parking: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            open: AtomicU32::new(0),
            served: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            blocked_since: AtomicU64::new(0),
            _place: place,
            _counted: counted,
        };
        // The first request has to come as soon as one that has begun.
        this.head_since.store(this.millis(Instant::now()), Ordering::Relaxed);
        Arc::new(this)
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// Bytes came in.
    pub(crate) fn received(&self) {
        if self.open.load(Ordering::Relaxed) == 0
            && self.head_since.load(Ordering::Relaxed) == 0
            && !self.http2.load(Ordering::Relaxed)
        {
            self.head_since.store(self.millis(Instant::now()), Ordering::Relaxed);
        }
    }

    /// Bytes were to go out and did, or did not.
    pub(crate) fn written(&self, done: bool) {
        let blocked = self.blocked_since.load(Ordering::Relaxed) != 0;
        if done && blocked {
            self.blocked_since.store(0, Ordering::Relaxed);
        } else if !done && !blocked {
            self.blocked_since.store(self.millis(Instant::now()), Ordering::Relaxed);
        }
    }

    /// A request's head is there. Returns how many there were, with this one.
    pub(crate) fn request_begins(&self) -> u64 {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
        self.parked.store(false, Ordering::Relaxed);
        self.served.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// How many requests there were.
    pub(crate) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Asks for the buffers of an idle connection back.
    pub(crate) fn park(&self) {
        if !self.http2.load(Ordering::Relaxed) && !self.parked.swap(true, Ordering::Relaxed) {
            self.parking.store(true, Ordering::Relaxed);
            self.retire.notify_one();
        }
    }

    /// A request has ended.
    pub(crate) fn request_ends(&self, now: Instant) {
        self.idle_since.store(self.millis(now), Ordering::Relaxed);
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// What the connection waits for on its client's side, apart from bodies.
    pub(crate) fn wait(&self) -> Option<Wait> {
        let at = |time: &AtomicU64| Some(time.load(Ordering::Relaxed)).filter(|time| *time != 0);
        if let Some(since) = at(&self.blocked_since) {
            return Some(Wait::Reader(since));
        }
        if self.open.load(Ordering::Relaxed) != 0 {
            return None;
        }
        at(&self.head_since).map(Wait::Head).or_else(|| at(&self.idle_since).map(Wait::Idle))
    }
}

/// Serves one connection to its end, after the handshake where there is one.
pub(crate) async fn open(worker: Arc<Worker>, stream: TcpStream, slot: Slot) {
    let Door::Encrypted(edge) = &slot.door else { return serve(worker, stream, slot, Protocol::Unknown).await };
    // On the heap, as what serves an encrypted stream is: a connection without encryption is not to carry their size.
    let accepted = tokio::select! {
        accepted = Box::pin(edge.accept(stream)) => accepted,
        () = slot.retire.notified() => return,
    };
    match accepted {
        Ok(Some(stream)) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let protocol = if http2 { Protocol::Http2 } else { Protocol::Http1 };
            Box::pin(serve(worker, stream, slot, protocol)).await;
        }
        // An authority's check was answered.
        Ok(None) => {}
        Err(error) => {
            tracing::debug!(client = %slot.client, cause = sdk::failure::chain(&error), "no encrypted connection");
        }
    }
}

async fn serve<S>(worker: Arc<Worker>, mut stream: S, slot: Slot, protocol: Protocol)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut ahead = Bytes::new();
    if protocol == Protocol::Unknown {
        let Some(begins) = beginning(&mut stream, &slot).await else { return };
        ahead = begins;
    }
    let client = slot.client;
    let ended = if protocol == Protocol::Http2 || *ahead == PREFACE {
        slot.http2.store(true, Ordering::Relaxed);
        let stream = Watched::new(stream, slot.clone(), ahead);
        // The larger of the two, and the rarer one to be idle in thousands.
        Box::pin(serve_http2(worker, stream, slot)).await.map_err(io::Error::other)
    } else {
        serve_http1(worker, stream, slot, ahead).await
    };
    if let Err(error) = ended {
        tracing::debug!(%client, %error, "a client's connection ended with an error");
    }
}

/// The first bytes: as many as tell the protocols apart. `None` if there are none, or the connection is to end.
async fn beginning<S: AsyncRead + Unpin>(stream: &mut S, slot: &Conn) -> Option<Bytes> {
    let (mut bytes, mut length) = ([0; PREFACE.len()], 0);
    while length < PREFACE.len() && bytes[..length] == PREFACE[..length] {
        tokio::select! {
            biased;
            read = stream.read(&mut bytes[length..]) => match read {
                Ok(0) | Err(_) => return None,
                Ok(more) => length += more,
            },
            () = slot.retire.notified() => return None,
        }
    }
    slot.received();
    Some(Bytes::copy_from_slice(&bytes[..length]))
}

/// A connection that is served or parked. What serves it takes room that thousands of idle ones would not have, so that one
/// without a request is soon parked: then there is nothing but the stream.
async fn serve_http1<S>(worker: Arc<Worker>, mut stream: S, slot: Slot, mut ahead: Bytes) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    loop {
        // Futures of their own on the heap: a parked connection is not to carry their size.
        let served = Box::pin(serve_plain(worker.clone(), stream, slot.clone(), ahead)).await?;
        (stream, ahead) = match served {
            Served::Over => return Ok(()),
            Served::Stopped(mut idle) if !slot.parking.swap(false, Ordering::Relaxed) => return idle.shutdown().await,
            Served::Stopped(idle) => (idle, Bytes::new()),
            Served::Other(stream, read) => {
                let served = Box::pin(serve_until_idle(worker.clone(), stream, slot.clone(), read)).await;
                let Some(idle) = served.map_err(io::Error::other)? else { return Ok(()) };
                idle
            }
        };
        if ahead.is_empty() {
            // Also an empty part of a buffer keeps all of it.
            drop(std::mem::take(&mut ahead));
            let Some(begins) = beginning(&mut stream, &slot).await else { return Ok(()) };
            ahead = begins;
        }
    }
}

/// Serves what is simple, which is most.
async fn serve_plain<S>(worker: Arc<Worker>, stream: S, slot: Slot, ahead: Bytes) -> io::Result<Served<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let bounds = Bounds { head: worker.lane().limits().max_head_bytes as usize, patience: None };
    let stream = Watched::new(stream, slot.clone(), Bytes::new());
    let mut retired = pin!(slot.retire.notified());
    let mut told = None;
    let express = |plain: &Plain<'_>| express::begin(&worker.lane(), &slot, &mut told, plain);
    let answer = |request| worker.lane().answer(request, slot.clone());
    let stop = |context: &mut Context<'_>| retired.as_mut().poll(context);
    let served = upstream::serve_express(stream, ahead, bounds, stop, express, answer).await?;
    Ok(match served {
        Served::Over => Served::Over,
        Served::Stopped(stream) => Served::Stopped(stream.into_stream()),
        Served::Other(stream, read) => Served::Other(stream.into_stream(), read),
    })
}

/// Returns the stream if it is to be parked, with what was read of it.
async fn serve_until_idle<S>(
    worker: Arc<Worker>,
    stream: S,
    slot: Slot,
    ahead: Bytes,
) -> hyper::Result<Option<(S, Bytes)>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = http1(worker.lane().limits());
    let (conn, stream) = (slot.clone(), Watched::new(stream, slot.clone(), ahead));
    let service = service_fn(move |request: Request<Incoming>| {
        let (lane, slot) = (worker.lane(), slot.clone());
        async move { Ok::<_, Infallible>(lane.answer(Box::new(request.map(ClientBody::from)), slot).await) }
    });
    let mut connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    loop {
        tokio::select! {
            biased;
            ended = &mut connection => return ended.map(|()| None),
            () = conn.retire.notified() => {}
        }
        if !conn.parking.swap(false, Ordering::Relaxed) {
            Pin::new(&mut connection).graceful_shutdown();
            return connection.await.map(|()| None);
        }
        // It may have got a request since.
        if matches!(conn.wait(), Some(Wait::Idle(_))) {
            let parts = connection.into_parts();
            return Ok(parts.map(|parts| (parts.io.into_inner().into_stream(), parts.read_buf)));
        }
    }
}

async fn serve_http2<S>(worker: Arc<Worker>, stream: Watched<S>, slot: Slot) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (builder, patience) = (http2(&worker), worker.lane().router.client_timeout);
    let conn = slot.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (lane, slot) = (worker.lane(), slot.clone());
        async move { Ok::<_, Infallible>(lane.answer(Box::new(request.map(ClientBody::from)), slot).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        () = conn.retire.notified() => connection.as_mut().graceful_shutdown(),
    }
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            () = tokio::time::sleep(patience) => {}
        }
        // All is answered, and the client does not take the rest.
        if matches!(conn.wait(), Some(Wait::Idle(_))) {
            return Ok(());
        }
    }
}

fn http1(limits: &Serving) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // The sweep sees to the time of heads: it needs no timer for each request.
    builder.timer(TokioTimer::new()).header_read_timeout(None).half_close(false);
    builder.max_buf_size(limits.max_head_bytes as usize).max_headers(limits.max_headers);
    builder
}

fn http2(worker: &Arc<Worker>) -> http2::Builder<Streams> {
    let (mut builder, lane) = (http2::Builder::new(Streams(worker.clone())), worker.lane());
    let limits = lane.limits();
    builder.timer(TokioTimer::new()).keep_alive_interval(PING).keep_alive_timeout(PING);
    builder.max_header_list_size(limits.max_head_bytes).max_concurrent_streams(limits.max_streams);
    builder.max_pending_accept_reset_streams(RESETS).max_local_error_reset_streams(LOCAL_RESETS);
    builder.initial_stream_window_size(WINDOW).initial_connection_window_size(CONNECTION_WINDOW);
    builder.max_send_buf_size(SEND_BUFFER);
    builder
}
