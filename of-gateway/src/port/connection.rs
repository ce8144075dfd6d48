//! One client's connection, from its first byte to its close, or to its handing over.

use std::convert::Infallible;
use std::io::{self, Cursor};
use std::net::TcpStream as StdStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustix::net::sockopt;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use upstream::{Bounds, ClientBody, Served};

use super::Client;
use super::socket::{Leaving, Socket};
use super::threads::at_home;
use crate::reply::Reply;
use crate::routes;

/// A connection that has not sent its request's head by then is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest head of a request that is served the short way, in bytes.
const MAX_PLAIN_HEAD: usize = 16 * 1024;
/// A connection on which nothing comes is asked after this time whether its peer is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// What a connection with HTTP/2 begins with; no other method does.
const HTTP2_BEGINNING: [u8; 4] = *b"PRI ";
/// Pause before a look for more of a beginning that comes byte by byte.
const MORE: Duration = Duration::from_millis(2);

enum Protocol {
    Http1,
    Http2,
}

/// Serves a connection. Where the port closes between two requests, answers with the connection, and its client
/// notices nothing.
pub(super) async fn serve(client: Arc<Client>, stream: TcpStream) -> Option<StdStream> {
    // Small answers are sent at once; a socket that cannot do that works all the same.
    let _ = stream.set_nodelay(true);
    notice_vanished(&stream);
    let detected = tokio::select! {
        biased;
        detected = timeout(HEAD_TIMEOUT, detect(&stream)) => detected,
        () = client.closing().begun() => return stream.into_std().ok(),
    };
    match detected {
        Ok(Ok(Some(Protocol::Http1))) => over_http1(client, stream).await,
        Ok(Ok(Some(Protocol::Http2))) => {
            over_http2(client, stream).await;
            None
        }
        // Left, failed or kept silent before it asked for anything.
        Ok(Ok(None) | Err(_)) | Err(_) => None,
    }
}

/// A peer that vanished without a word would keep its place, and its request in flight, for ever.
fn notice_vanished(stream: &TcpStream) {
    let set = sockopt::set_socket_keepalive(stream, true)
        .and_then(|()| sockopt::set_tcp_keepidle(stream, KEEP_ALIVE))
        .and_then(|()| sockopt::set_tcp_keepintvl(stream, KEEP_ALIVE / 4))
        .and_then(|()| sockopt::set_tcp_keepcnt(stream, 4));
    if let Err(error) = set {
        tracing::debug!(%error, "The system does not look after a connection that is silent.");
    }
}

/// Looks at the first bytes and leaves them where they are. `None` if the client left instead.
async fn detect(stream: &TcpStream) -> io::Result<Option<Protocol>> {
    let mut beginning = [0; HTTP2_BEGINNING.len()];
    loop {
        let seen = stream.peek(&mut beginning).await?;
        let Some(seen) = beginning.get(..seen).filter(|seen| !seen.is_empty()) else { return Ok(None) };
        if seen == HTTP2_BEGINNING {
            return Ok(Some(Protocol::Http2));
        }
        if !HTTP2_BEGINNING.starts_with(seen) {
            return Ok(Some(Protocol::Http1));
        }
        sleep(MORE).await;
    }
}

async fn answer(client: &Arc<Client>, request: Box<Request<ClientBody>>) -> Response<Reply> {
    if routes::is_call(&request) {
        return dispatch(client, request).await;
    }
    // On the heap: its room would be moved about with every call.
    let asked = Arc::clone(client);
    Box::pin(at_home(&client.served.app.home, async move { dispatch(&asked, request).await })).await
}

async fn dispatch(client: &Client, request: Box<Request<ClientBody>>) -> Response<Reply> {
    let Client { served, address, caller } = client;
    routes::dispatch(&served.app, &served.management, request, address, caller).await
}

/// The same as hyper wants it.
async fn answer_any(client: Arc<Client>, request: Request<Incoming>) -> Result<Response<Reply>, Infallible> {
    Ok(answer(&client, Box::new(request.map(ClientBody::from))).await)
}

fn http1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder
}

/// What is simple, which is most, is served the short way; from the first request on that is not, hyper goes on.
async fn over_http1(client: Arc<Client>, stream: TcpStream) -> Option<StdStream> {
    let bounds = Bounds { head: MAX_PLAIN_HEAD, patience: Some(HEAD_TIMEOUT) };
    let asked = async |request| {
        let mut response = answer(&client, request).await;
        if client.closing().has_begun() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    };
    let served = upstream::serve(stream, Bytes::new(), bounds, client.closing().watch(), asked);
    match served.await {
        Ok(Served::Over) => None,
        Ok(Served::Stopped(stream)) => stream.into_std().ok(),
        Ok(Served::Other(stream, ahead)) => any_over_http1(Arc::clone(&client), stream, ahead).await,
        Err(error) => {
            tracing::debug!(%error, "A connection ended with an error.");
            None
        }
    }
}

async fn any_over_http1(client: Arc<Client>, stream: TcpStream, ahead: Bytes) -> Option<StdStream> {
    let leaving = Arc::new(Leaving::default());
    let socket = Socket::new(stream, Arc::clone(&leaving), ahead);
    let asking = Arc::clone(&client);
    let service = service_fn(move |request| answer_any(Arc::clone(&asking), request));
    let mut connection = http1_builder().serve_connection(TokioIo::new(socket), service).with_upgrades();
    let finish = |connection: std::pin::Pin<&mut _>| {
        leaving.ask();
        http1::UpgradeableConnection::graceful_shutdown(connection);
    };
    if let Err(error) = client.closing().drive(&mut connection, finish).await {
        tracing::debug!(%error, "A connection ended with an error.");
        return None;
    }
    // Nothing is left of it where the protocol was changed.
    let parts = connection.into_parts().filter(|_| leaving.silent())?;
    let (stream, ahead) = parts.io.into_inner().into_inner();
    let read = [parts.read_buf, ahead].concat();
    if read.is_empty() {
        return stream.into_std().ok();
    }
    last_over_http1(client, stream, read).await;
    None
}

/// Answers the one request that had begun to arrive when the port closed.
async fn last_over_http1(client: Arc<Client>, stream: TcpStream, beginning: Vec<u8>) {
    let service = service_fn(move |request| answer_any(Arc::clone(&client), request));
    let (read, write) = stream.into_split();
    let io = TokioIo::new(tokio::io::join(Cursor::new(beginning).chain(read), write));
    let connection = http1_builder().keep_alive(false).serve_connection(io, service).with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%error, "A connection's last request ended with an error.");
    }
}

async fn over_http2(client: Arc<Client>, stream: TcpStream) {
    let asking = Arc::clone(&client);
    let service = service_fn(move |request| answer_any(Arc::clone(&asking), request));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).keep_alive_interval(KEEP_ALIVE);
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let finish = |connection: std::pin::Pin<&mut _>| http2::Connection::graceful_shutdown(connection);
    if let Err(error) = client.closing().drive(&mut connection, finish).await {
        tracing::debug!(%error, "A connection ended with an error.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_looks_after_silent_connections() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (_client, stream) = (client.unwrap(), accepted.unwrap().0);
        assert!(!sockopt::socket_keepalive(&stream).unwrap());
        notice_vanished(&stream);
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), KEEP_ALIVE);
    }
}
