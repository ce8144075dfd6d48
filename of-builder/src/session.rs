//! A build's session: the connection over which the engine's BuildKit asks for this build's secrets, and for no other's.
//!
//! The client library opens sessions too, but its own know only files and variables of this machine. So a session is
//! opened here: the engine gives an HTTP connection away at `/session`, and is then the one that asks over it.

mod services;

use std::fmt;
use std::sync::Arc;

use axum::http::Request;
use http::header::{CONNECTION, HOST, UPGRADE};
use http::{HeaderName, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::task::AbortOnDropHandle;

use crate::secrets::BuildSecrets;

const SESSION: HeaderName = HeaderName::from_static("x-docker-expose-session-uuid");
const METHOD: HeaderName = HeaderName::from_static("x-docker-expose-session-grpc-method");
/// What is spoken once the connection is ours: HTTP/2 without TLS.
const PROTOCOL: &str = "h2c";
const HTTP_PORT: u16 = 80;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("the container engine's address {0} has no host")]
    Address(String),
    #[error("the container engine cannot be reached")]
    Connect(#[source] std::io::Error),
    #[error("the container engine broke off while a session was opened")]
    Broken(#[source] hyper::Error),
    #[error("the container engine opens no session: it answered {0}")]
    Refused(StatusCode),
    #[error("the request for a session could not be made")]
    Request(#[source] http::Error),
}

/// An open session; dropping it takes the secrets away from the engine.
pub(crate) struct Session {
    id: String,
    has_secrets: bool,
    _serving: AbortOnDropHandle<()>,
}

impl Session {
    /// Opens a session with the engine at `host` that gives out these secrets.
    pub(crate) async fn open(host: &str, secrets: Arc<BuildSecrets>) -> Result<Self, SessionError> {
        let (id, has_secrets) = (uuid::Uuid::new_v4().to_string(), !secrets.is_empty());
        let connection = match host.strip_prefix("unix://") {
            Some(path) => take(UnixStream::connect(path).await.map_err(SessionError::Connect)?, "docker", &id).await,
            None => {
                let (authority, address) = address(host)?;
                let stream = TcpStream::connect(address).await.map_err(SessionError::Connect)?;
                take(stream, &authority, &id).await
            }
        }?;
        let serving = AbortOnDropHandle::new(tokio::spawn(serve(connection, secrets)));
        Ok(Self { id, has_secrets, _serving: serving })
    }

    /// What a build names to be given the secrets; nobody can guess it.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// True if there is anything to be given out.
    pub(crate) fn has_secrets(&self) -> bool {
        self.has_secrets
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// The host and port of `tcp://…` or `http://…`: as a header, and to connect to.
fn address(host: &str) -> Result<(String, (String, u16)), SessionError> {
    let unusable = || SessionError::Address(host.to_owned());
    let plain = host.split_once("://").map_or(host, |(_, rest)| rest);
    let uri: Uri = format!("http://{plain}").parse().map_err(|_| unusable())?;
    let authority = uri.authority().ok_or_else(unusable)?;
    let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok((authority.to_string(), (name, authority.port_u16().unwrap_or(HTTP_PORT))))
}

/// Asks for the connection.
async fn take<S>(stream: S, host: &str, id: &str) -> Result<Upgraded, SessionError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut request = Request::post("/session")
        .header(HOST, host)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, PROTOCOL)
        .header(SESSION, id);
    for method in services::METHODS {
        request = request.header(METHOD, method);
    }
    let request = request.body(Empty::<bytes::Bytes>::new()).map_err(SessionError::Request)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(SessionError::Broken)?;
    let driving = AbortOnDropHandle::new(tokio::spawn(connection.with_upgrades()));
    let response = sender.send_request(request).await.map_err(SessionError::Broken)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(SessionError::Refused(response.status()));
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(SessionError::Broken);
    drop(driving);
    upgraded
}

/// Answers the engine until it or the build has gone.
async fn serve(connection: Upgraded, secrets: Arc<BuildSecrets>) {
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let service = hyper_util::service::TowerToHyperService::new(services::all(secrets));
    if let Err(error) = server.serve_connection(connection, service).await {
        tracing::debug!(cause = sdk::failure::chain(&error), "a build's session ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_client_library_reads_them() {
        let parts = |host: &str| address(host).map(|(_, parts)| parts).unwrap();
        assert_eq!(parts("tcp://10.0.0.1:2375"), ("10.0.0.1".to_owned(), 2375));
        assert_eq!(parts("http://engine"), ("engine".to_owned(), 80));
        assert_eq!(parts("tcp://[::1]:2375/"), ("::1".to_owned(), 2375));
        assert!(address("tcp://").is_err());
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_or_is_none_gives_no_session() {
        let open = async |host: &str| Session::open(host, Arc::default()).await.unwrap_err().to_string();
        assert_eq!(open("unix:///nonexistent/docker.sock").await, "the container engine cannot be reached");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let app = axum::Router::new();
        tokio::spawn(async move { axum::serve(listener, app).await });
        assert_eq!(open(&address).await, "the container engine opens no session: it answered 404 Not Found");
    }
}
