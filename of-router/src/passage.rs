//! A request that was let through.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::Uri;
use http::header::HeaderValue;
use http::uri::PathAndQuery;

use crate::callee::Callee;
use crate::metrics::AuthDecision;
use crate::outside::Border;

/// The service that a request goes on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Gateway,
    Git,
    Auth,
}

/// A request that goes on.
#[derive(Debug)]
pub(crate) struct Passage {
    pub(crate) to: To,
    pub(crate) target: Uri,
    /// The host that it was sent to, as the one behind is told.
    pub(crate) host: HeaderValue,
    pub(crate) border: Border,
    /// The function that it is for, if it is for one.
    pub(crate) callee: Option<Arc<Callee>>,
    /// If all requests to this host with this first part of the path go the same way for a while.
    pub(crate) again: Option<Again>,
}

/// How long a decision may be repeated.
#[derive(Debug)]
pub(crate) struct Again {
    pub(crate) until: Instant,
    /// The host in its one form.
    pub(crate) host: String,
}

impl Passage {
    /// How it was decided whether the caller may call.
    pub(crate) fn decision(&self) -> Option<AuthDecision> {
        let public = self.callee.is_some().then_some(AuthDecision::Public);
        if self.border.caller.is_some() { Some(AuthDecision::Allowed) } else { public }
    }
}

/// The target for the service behind: the path that was decided on, in two parts, and the query as it came.
pub(crate) fn target([first, rest]: [&str; 2], query: Option<&str>) -> Option<Uri> {
    let mut text = String::with_capacity(first.len() + rest.len() + query.map_or(0, |query| query.len() + 1));
    text.push_str(first);
    text.push_str(rest);
    if let Some(query) = query {
        text.push('?');
        text.push_str(query);
    }
    PathAndQuery::from_maybe_shared(Bytes::from(text)).ok().map(Uri::from)
}
