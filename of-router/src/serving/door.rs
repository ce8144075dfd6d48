//! How connections come in: with encryption or without.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};

use crate::reply::{self, Body};
use crate::tls::{Edge, Plain};

/// How a connection comes in.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    /// Without encryption; with an edge there is an encrypted door too, and most are sent there.
    Plain(Option<Arc<Edge>>),
    /// With it.
    Encrypted(Arc<Edge>),
}

impl Door {
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self, Self::Encrypted(_))
    }

    /// The answer to a request that came without encryption where there is some.
    pub(crate) async fn sent_away<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let Self::Plain(Some(edge)) = self else { return None };
        match edge.plain(host(request), request.uri().path(), request.uri().query()).await {
            Plain::Serve => None,
            Plain::Challenge(text) => Some(reply::challenge(text)),
            Plain::Redirect(location) => Some(reply::moved(location)),
            Plain::Unknown => {
                let answer = reply::text(StatusCode::NOT_FOUND, "There is no such host here.");
                Some(reply::suited(answer, request.headers()))
            }
        }
    }

    /// `Strict-Transport-Security` for an answer to this request, in place of what a function says: ours speaks for a
    /// host only as long as that is its own.
    pub(crate) fn strict<B>(&self, request: &Request<B>) -> Option<HeaderValue> {
        let Self::Encrypted(edge) = self else { return None };
        edge.hsts(host(request)).cloned()
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
