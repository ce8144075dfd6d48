//! A client's socket under HTTP/1, which may outlive the connection it was served by.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Whether a connection ended before it said another word, and only because it was asked to: then its client knows
/// nothing of that, and somebody else can go on with it.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    asked: AtomicBool,
    spoke: AtomicBool,
}

impl Leaving {
    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    pub(super) fn silent(&self) -> bool {
        self.asked.load(Ordering::Relaxed) && !self.spoke.load(Ordering::Relaxed)
    }
}

/// A socket that is not shut down while it can be left to somebody else.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    leaving: Arc<Leaving>,
    /// What was read of it before.
    ahead: Bytes,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, leaving: Arc<Leaving>, ahead: Bytes) -> Self {
        Self { stream, leaving, ahead }
    }

    /// The socket, and what was read of it and nobody took.
    pub(super) fn into_inner(self) -> (TcpStream, Bytes) {
        (self.stream, self.ahead)
    }

    fn spoke(&self) {
        if self.leaving.asked.load(Ordering::Relaxed) {
            self.leaving.spoke.store(true, Ordering::Relaxed);
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.ahead.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.spoke();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.spoke();
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.leaving.silent() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
