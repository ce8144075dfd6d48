//! Which HTTP a client speaks, told by its first bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// What an HTTP/2 client sends first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The protocols served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// A connection whose first bytes were read already; they are read again from here.
#[derive(Debug)]
pub(crate) struct Replayed<S> {
    inner: S,
    first: [u8; PREFACE.len()],
    start: usize,
    end: usize,
}

/// Reads just enough to tell the protocol; `None` where the client left without a word.
///
/// The caller bounds the time: nothing else watches a client that connects and stays silent.
pub(crate) async fn detect<S>(mut inner: S) -> io::Result<Option<(Protocol, Replayed<S>)>>
where
    S: AsyncRead + Unpin,
{
    let mut first = [0; PREFACE.len()];
    let mut end = 0;
    while end < first.len() && first[..end] == PREFACE[..end] {
        let read = inner.read(&mut first[end..]).await?;
        if read == 0 {
            return Ok(None);
        }
        end += read;
    }
    let protocol = if &first == PREFACE {
        Protocol::Http2
    } else {
        Protocol::Http1
    };
    Ok(Some((
        protocol,
        Replayed {
            inner,
            first,
            start: 0,
            end,
        },
    )))
}

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.start == this.end {
            return Pin::new(&mut this.inner).poll_read(cx, buf);
        }
        let count = buf.remaining().min(this.end - this.start);
        buf.put_slice(&this.first[this.start..this.start + count]);
        this.start += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replayed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn detected(chunks: &[&[u8]]) -> Option<(Protocol, Vec<u8>)> {
        let (mut client, server) = tokio::io::duplex(8);
        let send = async move {
            for chunk in chunks {
                client.write_all(chunk).await.unwrap();
            }
        };
        let receive = async {
            let (protocol, mut stream) = detect(server).await.unwrap()?;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            Some((protocol, bytes))
        };
        tokio::join!(send, receive).1
    }

    #[tokio::test]
    async fn the_protocol_is_told_and_no_byte_is_lost() {
        let request = b"POST / HTTP/1.1\r\nhost: a\r\n\r\n".as_slice();
        assert_eq!(detected(&[request]).await, Some((Protocol::Http1, request.to_vec())));
        let (start, rest) = PREFACE.split_at(5);
        let sent = [PREFACE.as_slice(), b"more"].concat();
        assert_eq!(detected(&[start, rest, b"more"]).await, Some((Protocol::Http2, sent)));
        let nearly = b"PRI * HTTP/1.1\r\n\r\n".as_slice();
        assert_eq!(
            detected(&[b"PR", &nearly[2..]]).await,
            Some((Protocol::Http1, nearly.to_vec()))
        );
    }

    #[tokio::test]
    async fn a_client_may_leave_without_a_word() {
        assert_eq!(detected(&[]).await, None);
        assert_eq!(detected(&[b"PR"]).await, None);
    }
}
