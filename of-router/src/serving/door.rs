//! How connections come in: with encryption or without.

use std::sync::{Arc, OnceLock};

use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;

use crate::reply::{self, Body};
use crate::tls::{AcceptError, Edge, Plain};

/// How a connection comes in.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    /// Without encryption; with an edge there is an encrypted door too, and most are sent there.
    Plain(Option<Arc<Edge>>),
    /// With it.
    Encrypted(Encrypted),
}

/// The encrypted door, and the host that a client named there.
#[derive(Debug, Clone)]
pub(crate) struct Encrypted {
    edge: Arc<Edge>,
    named: OnceLock<Box<str>>,
}

impl Encrypted {
    pub(crate) fn new(edge: Arc<Edge>) -> Self {
        Self { edge, named: OnceLock::new() }
    }

    /// As [`Edge::accept`], and remembers the name.
    pub(crate) async fn accept<S>(&self, stream: S) -> Result<Option<TlsStream<S>>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let accepted = self.edge.accept(stream).await?;
        if let Some(name) = accepted.as_ref().and_then(|stream| stream.get_ref().1.server_name()) {
            let _ = self.named.set(name.to_ascii_lowercase().into());
        }
        Ok(accepted)
    }
}

impl Door {
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self, Self::Encrypted(_))
    }

    /// The answer to a request that came without encryption where there is some.
    pub(crate) async fn sent_away<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let Self::Plain(Some(edge)) = self else { return None };
        // On the heap: its room would be moved about with every request.
        match Box::pin(edge.plain(host(request), request.uri().path(), request.uri().query())).await {
            Plain::Serve => None,
            Plain::Challenge(text) => Some(reply::challenge(text)),
            Plain::Redirect(location) => Some(reply::moved(location)),
            Plain::Unknown => Some(reply::text(StatusCode::NOT_FOUND, "There is no such host here.")),
        }
    }

    /// `Strict-Transport-Security` for an answer to this request, in place of what a function says: ours speaks for a
    /// host only as long as that is its own.
    pub(crate) fn strict<B>(&self, request: &Request<B>) -> Option<HeaderValue> {
        self.strict_at(host(request))
    }

    /// The same for a request to this host.
    pub(crate) fn strict_at(&self, host: &str) -> Option<HeaderValue> {
        let Self::Encrypted(encrypted) = self else { return None };
        encrypted.edge.hsts(host).cloned()
    }

    /// Whether requests are sent away from here to where there is encryption.
    pub(crate) fn sends_away(&self) -> bool {
        matches!(self, Self::Plain(Some(_)))
    }

    /// The host that the connection was made for, where it is encrypted.
    pub(crate) fn named(&self) -> Option<&str> {
        let Self::Encrypted(encrypted) = self else { return None };
        encrypted.named.get().map(|name| &**name)
    }
}

/// Adds what [`Door::strict`] said.
pub(crate) fn insist(headers: &mut HeaderMap, strict: Option<HeaderValue>) {
    if let Some(value) = strict {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
}

/// The host that a request names, of which nothing is certain yet.
fn host<B>(request: &Request<B>) -> &str {
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let header = || request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    authority.or_else(header).unwrap_or_default()
}
