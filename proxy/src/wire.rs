//! A connection to a server for requests whose body is short or none, which are most. Such a request is written at once, so
//! that it needs nobody who reads and writes at the same time: no task of its own and no channel to one.

mod body;
mod chunks;
mod head;
mod short;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

use self::short::Short;
use crate::clock::Clock;
use crate::express::Trip;
use crate::lines;
use crate::pool::Upstream;

pub(crate) use body::WireBody;

/// The longest body that is written at once, in bytes.
const SHORT: u64 = 64 * 1024;
/// How much of a large answer is read at a time, in bytes: it grows between these.
const READ: usize = 8 * 1024;
const MAX_READ: usize = 64 * 1024;
/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 128 * 1024;

/// Why there was no answer.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The server or the connection to it.
    Server(io::Error),
    /// The request's own body.
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// The deadline.
    Late,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Server(error)
    }
}

/// How a request that was written already got on.
#[derive(Debug)]
pub(crate) enum Travelled<O> {
    /// Its answer is written for the client. Whether the connection to the client goes on.
    Arrived { goes_on: bool },
    /// Its answer goes the long way.
    Detour(Box<Response<WireBody<O>>>),
}

/// True if a request's body is short, and of the length that the request says.
pub(crate) fn is_short<B: Body>(request: &Request<B>) -> bool {
    let length = request.body().size_hint().exact().filter(|length| *length <= SHORT);
    let said = |value: &http::HeaderValue| value.to_str().ok().and_then(|text| text.parse().ok());
    length.is_some() && request.headers().get_all(CONTENT_LENGTH).iter().all(|value| said(value) == length)
}

/// A connection, with what was read of it and not yet understood.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    input: BytesMut,
    /// How much is read at a time.
    step: usize,
    clock: Clock,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, input: BytesMut::new(), step: READ, clock: Clock::default() }
    }

    /// True if a request can be written. A server that said something unasked, or closed, has ended the connection.
    pub(crate) fn is_usable(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.input.is_empty() && self.stream.poll_read_ready(&mut context).is_pending()
    }

    /// Makes it as small as it was; idle connections are many.
    pub(crate) fn rest(&mut self) {
        (self.step, self.input) = (READ, BytesMut::new());
    }

    /// Sends a request with a short body and reads the head of its answer, until the deadline.
    ///
    /// # Errors
    /// When the connection breaks, the server does not keep to HTTP/1, or the body does not come to its end.
    pub(crate) async fn exchange<B, O>(
        mut self,
        request: &mut Request<B>,
        upstream: &Arc<Upstream<O>>,
        deadline: Instant,
    ) -> Result<Response<WireBody<O>>, Failed>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let whole = self.whole(request, deadline).await?;
        // A server may answer and close before it has read everything: its answer is what counts then.
        let mut written = self.write(&whole, deadline).await?;
        self.answer(*request.method() == Method::HEAD, upstream, &mut written, deadline).await
    }

    /// Sends a request that is written already, and passes its answer on where that goes back as it is.
    ///
    /// # Errors
    /// When the connection breaks, or the server does not keep to HTTP/1.
    pub(crate) async fn travel<T: Trip>(
        mut self,
        request: &[u8],
        upstream: &Arc<Upstream<T::Outbound>>,
        deadline: Instant,
        out: &mut Vec<u8>,
        trip: &mut T,
    ) -> Result<Travelled<T::Outbound>, Failed> {
        let mut written = self.write(request, deadline).await?;
        loop {
            match short::take(&mut self.input, out, trip) {
                Short::Taken { goes_on } => {
                    if written.is_ok() {
                        upstream.give_wire_back(self);
                    }
                    return Ok(Travelled::Arrived { goes_on });
                }
                Short::Partial => self.more_of_head(&mut written, deadline).await?,
                Short::Other => {
                    // On the heap: its room would be moved about with every request that goes the short way.
                    let answer = Box::pin(self.answer(false, upstream, &mut written, deadline));
                    return answer.await.map(|answer| Travelled::Detour(Box::new(answer)));
                }
            }
        }
    }

    /// Reads the head of the answer to a request that was written, as far as it could be.
    async fn answer<O>(
        mut self,
        is_head: bool,
        upstream: &Arc<Upstream<O>>,
        written: &mut io::Result<()>,
        deadline: Instant,
    ) -> Result<Response<WireBody<O>>, Failed> {
        loop {
            let Some(answer) = head::read(&mut self.input, is_head)? else {
                self.more_of_head(written, deadline).await?;
                continue;
            };
            // What comes before the answer is for who asked for it.
            let status = answer.response.status();
            if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
                continue;
            }
            let keep = (answer.keep && written.is_ok()).then(|| upstream.clone());
            return Ok(answer.response.map(|()| WireBody::new(self, answer.framing, keep)));
        }
    }

    /// Reads on. Where nothing comes, it is what went wrong first that counts.
    async fn more_of_head(&mut self, written: &mut io::Result<()>, deadline: Instant) -> Result<(), Failed> {
        match self.more_head(deadline).await {
            Err(Failed::Server(error)) => Err(std::mem::replace(written, Ok(())).err().unwrap_or(error).into()),
            read => read,
        }
    }

    /// A request as it goes out, with its body.
    async fn whole<B>(&mut self, request: &mut Request<B>, deadline: Instant) -> Result<Vec<u8>, Failed>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut left = request.body().size_hint().exact().unwrap_or(0);
        let mut out = Vec::with_capacity(1024 + usize::try_from(left).unwrap_or(0));
        head::write(&mut out, request, left);
        let body = request.body_mut();
        while left > 0 {
            let frame = self.before(deadline, |_, context| Pin::new(&mut *body).poll_frame(context)).await?;
            let frame = frame.transpose().map_err(|error| Failed::Body(error.into()))?;
            let data = frame.ok_or_else(|| Failed::Body("the body ended too soon".into()))?;
            let data = data.into_data().unwrap_or_default();
            let within = left.checked_sub(data.len() as u64);
            left = within.ok_or_else(|| Failed::Body("the body is longer than it said".into()))?;
            out.extend_from_slice(&data);
        }
        Ok(out)
    }

    async fn write(&mut self, bytes: &[u8], deadline: Instant) -> Result<io::Result<()>, Failed> {
        let mut left = bytes;
        while !left.is_empty() {
            match self.before(deadline, |wire, context| Pin::new(&mut wire.stream).poll_write(context, left)).await? {
                Ok(0) => return Ok(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => left = &left[count..],
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(()))
    }

    async fn more_head(&mut self, deadline: Instant) -> Result<(), Failed> {
        if self.input.len() >= MAX_HEAD {
            return Err(invalid("the answer's head is too long").into());
        }
        let read =
            |wire: &mut Self, context: &mut Context<'_>| lines::poll_read(&mut wire.stream, &mut wire.input, context);
        match self.before(deadline, read).await?? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            _ => Ok(()),
        }
    }

    /// Waits for something, but not beyond the deadline.
    async fn before<T>(
        &mut self,
        deadline: Instant,
        mut poll: impl FnMut(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Failed> {
        std::future::poll_fn(|context| match poll(self, context) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => self.clock.poll(deadline, context).map(|()| Err(Failed::Late)),
        })
        .await
    }

    /// Takes up to `most` bytes of what was read, or reads.
    fn poll_some(&mut self, context: &mut Context<'_>, most: u64) -> Poll<io::Result<Bytes>> {
        if self.input.is_empty() {
            std::task::ready!(self.poll_more(context))?;
        }
        let length = usize::try_from(most).map_or(self.input.len(), |most| most.min(self.input.len()));
        Poll::Ready(Ok(self.input.split_to(length).freeze()))
    }

    /// Reads; nothing more is there if nothing was added.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(self.step);
        let read = std::pin::pin!(self.stream.read_buf(&mut self.input));
        let read = std::task::ready!(read.poll(context))?;
        // A large body comes in large parts.
        if read >= self.step {
            self.step = (2 * self.step).min(MAX_READ);
        }
        Poll::Ready(Ok(read))
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
