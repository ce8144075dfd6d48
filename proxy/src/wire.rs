//! A connection to a server for requests without a body, which are most. Such a request needs nobody who reads and
//! writes at the same time, so that it needs no task of its own and no channel to one.

mod body;
mod chunks;
mod head;

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::pool::Upstream;

pub(crate) use body::WireBody;

/// How much is read at a time at first.
const READ: usize = 8 * 1024;
const MAX_READ: usize = 64 * 1024;
/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 128 * 1024;

/// A connection, with what was read of it and not yet understood.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    input: BytesMut,
    output: Vec<u8>,
    /// How much is read at a time.
    step: usize,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, input: BytesMut::new(), output: Vec::new(), step: READ }
    }

    /// True if a request can be written. A server that said something unasked, or closed, has ended the connection.
    pub(crate) fn is_usable(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.input.is_empty() && self.stream.poll_read_ready(&mut context).is_pending()
    }

    /// Makes it as small as it was; idle connections are many.
    pub(crate) fn rest(&mut self) {
        if self.step > READ {
            (self.step, self.input) = (READ, BytesMut::new());
        }
    }

    /// Sends a request, whose body has to be empty, and reads the head of its answer.
    ///
    /// # Errors
    /// When the connection breaks, or the server does not keep to HTTP/1.
    pub(crate) async fn exchange<B, O>(
        mut self,
        request: &Request<B>,
        upstream: &Arc<Upstream<O>>,
    ) -> io::Result<Response<WireBody<O>>> {
        self.output.clear();
        head::write(&mut self.output, request);
        self.stream.write_all(&self.output).await?;
        loop {
            let Some(answer) = head::read(&mut self.input, request.method() == Method::HEAD)? else {
                self.more_head().await?;
                continue;
            };
            // What comes before the answer is for who asked for it.
            if answer.response.status().is_informational()
                && answer.response.status() != StatusCode::SWITCHING_PROTOCOLS
            {
                continue;
            }
            let keep = answer.keep.then(|| upstream.clone());
            return Ok(answer.response.map(|()| WireBody::new(self, answer.framing, keep)));
        }
    }

    async fn more_head(&mut self) -> io::Result<()> {
        if self.input.len() >= MAX_HEAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer's head is too long"));
        }
        self.input.reserve(READ);
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
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
