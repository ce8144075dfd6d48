//! One client's connection, from its first byte to its close.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::contract::Contract;
use crate::protocol::{Protocol, Replayed, detect};
use crate::socket::Socket;

/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;

type Stream = TokioIo<Replayed<Socket<TcpStream>>>;

/// What every connection is served with.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) contract: Arc<Contract>,
    pub(crate) read_timeout: Duration,
    /// Turns true when idle connections have to close and busy ones after their answer.
    pub(crate) closing: watch::Receiver<bool>,
}

impl Connections {
    /// Serves one connection to its end.
    pub(crate) async fn serve(self: Arc<Self>, socket: Socket<TcpStream>) {
        let first = tokio::select! {
            first = tokio::time::timeout(self.read_timeout, detect(socket)) => first,
            () = self.closing() => return,
        };
        let result = match first {
            Ok(Ok(Some((Protocol::Http1, stream)))) => self.http1(TokioIo::new(stream)).await,
            Ok(Ok(Some((Protocol::Http2, stream)))) => self.http2(TokioIo::new(stream)).await,
            // Left, failed or kept silent before asking anything: none of the function's business.
            Ok(Ok(None) | Err(_)) | Err(_) => Ok(()),
        };
        if let Err(error) = result {
            // Clients leave in the middle of things every day.
            tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended early");
        }
    }

    async fn http1(&self, stream: Stream) -> hyper::Result<()> {
        let answer = service_fn(|request| {
            let contract = Arc::clone(&self.contract);
            async move { Ok::<_, Infallible>(contract.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.read_timeout)
            .serve_connection(stream, answer)
            .with_upgrades();
        self.until_closing(pin!(connection), |connection| connection.graceful_shutdown())
            .await
    }

    async fn http2(&self, stream: Stream) -> hyper::Result<()> {
        let contract = Arc::clone(&self.contract);
        let answer = service_fn(move |request| {
            let contract = Arc::clone(&contract);
            async move { Ok::<_, Infallible>(contract.answer(request).await) }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            // A dead peer does not answer a ping; nothing else tells it from an idle one.
            .keep_alive_interval(self.read_timeout)
            .keep_alive_timeout(self.read_timeout)
            .serve_connection(stream, answer);
        self.until_closing(pin!(connection), |connection| connection.graceful_shutdown())
            .await
    }

    async fn closing(&self) {
        // Also ready when the server itself is gone.
        let _ = self.closing.clone().wait_for(|closing| *closing).await;
    }

    /// Drives a connection; once, when the function is told to stop, asks it to finish.
    async fn until_closing<C: Future>(&self, mut connection: Pin<&mut C>, finish: impl Fn(Pin<&mut C>)) -> C::Output {
        let mut closing = pin!(self.closing());
        let mut registered = false;
        let mut asked = false;
        poll_fn(move |cx| {
            if let Poll::Ready(output) = connection.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            // Waiting takes a lock that all connections share. The task's waker stays the same, so it is
            // enough to wait once and to look at the value (no lock that writers hold) when woken.
            let stop = !asked
                && if registered {
                    *self.closing.borrow()
                } else {
                    closing.as_mut().poll(cx).is_ready()
                };
            registered = true;
            if !stop {
                return Poll::Pending;
            }
            asked = true;
            finish(connection.as_mut());
            connection.as_mut().poll(cx)
        })
        .await
    }
}
