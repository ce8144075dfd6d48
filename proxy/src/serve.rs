//! The client's side of a proxy, for plain requests, which are most: HTTP/1.1, with nothing that is about the connection
//! itself, and with a body that came together with the head, or none. Such a request needs no more than what is here. Where
//! another one comes, the connection is given back as it is, for somebody who knows all of HTTP/1.1.

mod head;
mod reply;

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use self::head::{MAX_PLAIN, Taken};
use self::reply::Framing;
use crate::clock::Clock;
use crate::express::{Express, Nobody, Plain, Ready, Trip};
use crate::forward::plain_answer;
use crate::wire::Travelled;
use crate::{ClientBody, lines};

/// What is longer than this is sent as it is, in bytes; shorter parts are put together.
const SHORT: usize = 8 * 1024;
/// So much is put together at most, in bytes.
const FULL: usize = 64 * 1024;
/// A client may send so much ahead while it waits for an answer, in bytes.
const AHEAD: usize = MAX_PLAIN;

/// What a client may do.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The longest head of a request that is plain, in bytes; 16 KiB is the most.
    pub head: usize,
    /// The most time between two requests and until the head of one is there; `None` where somebody else looks after that.
    pub patience: Option<Duration>,
}

/// What became of a connection.
#[derive(Debug)]
pub enum Served<S> {
    /// It has ended.
    Over,
    /// It was to stop, and did between two requests: its client knows nothing of that. Nothing that was read of it is
    /// left.
    Stopped(S),
    /// What came begins with these bytes, and is no plain request.
    Other(S, Bytes),
}

/// Serves plain requests on a connection, of which `read` was read already.
///
/// `stop` is asked between two requests whether to go on, with a context that has to be woken when that changes; half of a
/// request that is there by then is given back with the connection. `answer` makes the answers; what it is at is dropped when
/// the client leaves.
///
/// # Errors
/// When the connection breaks, or an answer does.
pub async fn serve<S, A, F, B>(
    stream: S,
    read: Bytes,
    bounds: Bounds,
    stop: impl FnMut(&mut Context<'_>) -> Poll<()>,
    answer: A,
) -> io::Result<Served<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: FnMut(Box<Request<ClientBody>>) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    serve_express(stream, read, bounds, stop, |_: &Plain<'_>| None::<Express<Nobody<B>>>, answer).await
}

/// As [`serve`], with requests that go on nearly as they came: `express` is asked about each first. Where it gives nothing,
/// `answer` is asked.
///
/// # Errors
/// As [`serve`].
pub async fn serve_express<S, T, A, F, B>(
    stream: S,
    read: Bytes,
    bounds: Bounds,
    mut stop: impl FnMut(&mut Context<'_>) -> Poll<()>,
    mut express: impl FnMut(&Plain<'_>) -> Option<Express<T>>,
    mut answer: A,
) -> io::Result<Served<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: Trip<Body = B>,
    A: FnMut(Box<Request<ClientBody>>) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let patience = bounds.patience.map(Patience::new);
    let mut client = Client { stream, input: BytesMut::from(read), max_head: bounds.head, patience };
    loop {
        let (response, is_head) = match client.next(&mut stop, &mut express).await? {
            Next::Request(request) => {
                let is_head = *request.method() == Method::HEAD;
                let response = pin!(answer(request));
                let Some(response) = client.while_there(response).await? else { return Ok(Served::Over) };
                (response, is_head)
            }
            Next::Express(express) => match client.carry(express).await? {
                Carried::Arrived => continue,
                Carried::Detour(response) => (response, false),
                Carried::Last => {
                    client.stream.shutdown().await?;
                    return Ok(Served::Over);
                }
                Carried::Left => return Ok(Served::Over),
            },
            Next::Over => return Ok(Served::Over),
            Next::Stop => return Ok(Served::Stopped(client.stream)),
            Next::Other => return Ok(Served::Other(client.stream, client.input.freeze())),
        };
        if !client.send(response, is_head).await? {
            client.stream.shutdown().await?;
            return Ok(Served::Over);
        }
    }
}

enum Next<E> {
    Request(Box<Request<ClientBody>>),
    Express(E),
    Over,
    Stop,
    Other,
}

/// What became of a request that went on nearly as it came.
enum Carried<B> {
    /// It was answered.
    Arrived,
    /// It was answered, and the connection is to end.
    Last,
    /// Its answer is to be sent the long way.
    Detour(Response<B>),
    /// The client is gone.
    Left,
}

struct Client<S> {
    stream: S,
    /// What was read and not yet understood.
    input: BytesMut,
    max_head: usize,
    patience: Option<Patience>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    async fn next<E>(
        &mut self,
        stop: &mut impl FnMut(&mut Context<'_>) -> Poll<()>,
        express: &mut impl FnMut(&Plain<'_>) -> Option<E>,
    ) -> io::Result<Next<E>> {
        self.patience.iter_mut().for_each(Patience::begin);
        std::future::poll_fn(|context| self.poll_next(context, stop, express)).await
    }

    fn poll_next<E>(
        &mut self,
        context: &mut Context<'_>,
        stop: &mut impl FnMut(&mut Context<'_>) -> Poll<()>,
        express: &mut impl FnMut(&Plain<'_>) -> Option<E>,
    ) -> Poll<io::Result<Next<E>>> {
        loop {
            if self.input.is_empty() {
                if stop(context).is_ready() {
                    return Poll::Ready(Ok(Next::Stop));
                }
            } else {
                match head::take(&mut self.input, self.max_head, &mut *express) {
                    Taken::Request(request) => return Poll::Ready(Ok(Next::Request(request))),
                    Taken::Express(express) => return Poll::Ready(Ok(Next::Express(express))),
                    Taken::Other => return Poll::Ready(Ok(Next::Other)),
                    Taken::Partial => {}
                }
            }
            match lines::poll_read(&mut self.stream, &mut self.input, context) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(Next::Over)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    // Behind a whole request there may be half of one. Who says stop may have to count its time anew.
                    if !self.input.is_empty() && stop(context).is_ready() {
                        return Poll::Ready(Ok(Next::Other));
                    }
                    ready!(Patience::poll(&mut self.patience, context));
                    return Poll::Ready(Ok(Next::Over));
                }
            }
        }
    }

    /// Carries a request to its server and the answer back.
    async fn carry<T: Trip>(&mut self, express: Express<T>) -> io::Result<Carried<T::Body>> {
        let Express { request, ready: Ready { wire, upstream }, limits, began, mut trip } = express;
        let mut out = Vec::with_capacity(512);
        let deadline = limits.deadline(Instant::from_std(began));
        let travelled = {
            let travel = pin!(wire.travel(&request, &upstream, deadline, &mut out, &mut trip));
            self.while_there(travel).await?
        };
        let answer = match travelled {
            None => return Ok(Carried::Left),
            Some(Ok(Travelled::Arrived { goes_on })) => {
                self.stream.write_all(&out).await?;
                self.stream.flush().await?;
                return Ok(if goes_on { Carried::Arrived } else { Carried::Last });
            }
            Some(Ok(Travelled::Detour(response))) => plain_answer(Ok(*response), limits),
            Some(Err(failed)) => plain_answer(Err(failed), limits),
        };
        Ok(Carried::Detour(trip.detour(answer)))
    }

    /// Waits for something for as long as the client is there.
    async fn while_there<F: Future>(&mut self, mut awaited: Pin<&mut F>) -> io::Result<Option<F::Output>> {
        std::future::poll_fn(|context| {
            if let Poll::Ready(output) = awaited.as_mut().poll(context) {
                return Poll::Ready(Ok(Some(output)));
            }
            self.poll_left(context).map_ok(|()| None)
        })
        .await
    }

    /// Ready when the client has left. What it sends ahead is kept, up to a limit.
    fn poll_left(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.input.len() < AHEAD {
            if ready!(lines::poll_read(&mut self.stream, &mut self.input, context))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }

    /// Sends an answer. True if the connection goes on.
    async fn send<B>(&mut self, response: Response<B>, is_head: bool) -> io::Result<bool>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (mut parts, body) = response.into_parts();
        // Nobody asked for another protocol: such a request is not plain.
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(io::Error::other("an answer that changes the protocol unasked"));
        }
        let mut body = pin!(body);
        let framing = Framing::of(&parts, &body.size_hint(), is_head);
        let goes_on = !reply::closes(&parts.headers);
        let mut out = Vec::with_capacity(512);
        reply::head(&mut out, &mut parts, framing);
        match framing {
            Framing::Nothing(_) => self.stream.write_all(&out).await?,
            Framing::Length(length) => self.send_length(out, body.as_mut(), length).await?,
            Framing::Chunked => self.send_chunks(out, body.as_mut()).await?,
        }
        self.stream.flush().await?;
        Ok(goes_on)
    }

    async fn send_length<B>(&mut self, mut out: Vec<u8>, mut body: Pin<&mut B>, mut left: u64) -> io::Result<()>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        while left > 0 {
            let Some(frame) = self.frame(&mut out, body.as_mut()).await? else { break };
            let Ok(data) = frame.into_data() else { continue };
            let within = left.checked_sub(data.len() as u64);
            left = within.ok_or_else(|| io::Error::other("an answer is longer than it said"))?;
            self.put(&mut out, data, b"").await?;
        }
        self.stream.write_all(&out).await?;
        if left == 0 { Ok(()) } else { Err(io::Error::other("an answer is shorter than it said")) }
    }

    async fn send_chunks<B>(&mut self, mut out: Vec<u8>, mut body: Pin<&mut B>) -> io::Result<()>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // Who takes trailers says so, and is no plain client: those behind the body stay here.
        while let Some(frame) = self.frame(&mut out, body.as_mut()).await? {
            match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => {
                    reply::chunk(&mut out, data.len());
                    self.put(&mut out, data, b"\r\n").await?;
                }
                Err(_) => {}
            }
        }
        out.extend_from_slice(b"0\r\n\r\n");
        self.stream.write_all(&out).await
    }

    /// The next part of a body. What is to be sent goes out before anybody waits.
    async fn frame<B>(
        &mut self,
        out: &mut Vec<u8>,
        mut body: Pin<&mut B>,
    ) -> io::Result<Option<http_body::Frame<Bytes>>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let at_once = std::future::poll_fn(|context| Poll::Ready(body.as_mut().poll_frame(context))).await;
        let frame = match at_once {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                self.stream.write_all(out).await?;
                self.stream.flush().await?;
                out.clear();
                let frame = pin!(std::future::poll_fn(|context| body.as_mut().poll_frame(context)));
                self.while_there(frame).await?.ok_or(io::ErrorKind::ConnectionAborted)?
            }
        };
        frame.transpose().map_err(io::Error::other)
    }

    /// Sends a part of a body, or keeps it to be sent with the next one.
    async fn put(&mut self, out: &mut Vec<u8>, data: Bytes, end: &'static [u8]) -> io::Result<()> {
        if data.len() < SHORT {
            out.extend_from_slice(&data);
            out.extend_from_slice(end);
            if out.len() >= FULL {
                self.stream.write_all(out).await?;
                out.clear();
            }
            return Ok(());
        }
        self.stream.write_all_buf(&mut out.as_slice().chain(data).chain(end)).await?;
        out.clear();
        Ok(())
    }
}

/// How long a client may take.
struct Patience {
    limit: Duration,
    deadline: Instant,
    clock: Clock,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { limit, deadline: Instant::now() + limit, clock: Clock::default() }
    }

    fn begin(&mut self) {
        self.deadline = Instant::now() + self.limit;
    }

    /// Ready when there is none left.
    fn poll(this: &mut Option<Self>, context: &mut Context<'_>) -> Poll<()> {
        this.as_mut().map_or(Poll::Pending, |this| this.clock.poll(this.deadline, context))
    }
}

#[cfg(test)]
mod tests;
