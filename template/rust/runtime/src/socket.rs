//! A client's socket: counted while open, and closed once the client stops reading what it asked for.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use crate::deadline::Deadline;

/// A socket whose writes may not stall for longer than `stall`.
#[derive(Debug)]
pub(crate) struct Socket<S> {
    inner: S,
    stall: Duration,
    deadline: Option<Deadline>,
    // Here and not with the connection's task: a web socket outlives that.
    _open: OwnedSemaphorePermit,
}

impl<S> Socket<S> {
    pub(crate) fn new(inner: S, stall: Duration, open: OwnedSemaphorePermit) -> Self {
        Self {
            inner,
            stall,
            deadline: None,
            _open: open,
        }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.deadline = None;
            return write;
        }
        if self.deadline.is_none() {
            self.deadline = Deadline::after(self.stall);
        }
        match self.deadline.as_mut().map(|deadline| deadline.poll_passed(cx)) {
            Some(Poll::Ready(())) => {
                let why = "the client did not read its response within write_timeout";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
            }
            _ => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let write = Pin::new(&mut this.inner).poll_write(cx, buf);
        this.watch(cx, write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let write = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
        this.watch(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Semaphore;

    use super::*;

    const STALL: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_reading_is_given_up() {
        let sockets = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&sockets).acquire_owned().await.unwrap();
        let (mut client, server) = tokio::io::duplex(4);
        let mut socket = Socket::new(server, STALL, permit);
        socket.write_all(b"1234").await.unwrap();
        let error = socket.write_all(b"5").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);

        let mut read = [0; 4];
        client.read_exact(&mut read).await.unwrap();
        socket.write_all(b"5678").await.unwrap();
        assert_eq!(sockets.available_permits(), 0);
        drop(socket);
        assert_eq!(sockets.available_permits(), 1);
    }
}
