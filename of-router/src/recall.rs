//! What a worker decided lately. Nearly all requests are for functions that somebody called within the last second; for those
//! the host and the first part of the path need not be taken apart again, nor the gateway's word be asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::Request;
use http::header::{self, HeaderValue};

use crate::callee::Callee;
use crate::outside::{Border, Side};
use crate::passage::{Passage, To, target};
use crate::{path, route};

/// A host can be spelled in many ways, each with all of its owner's functions, so that somebody could fill this up. Beyond so
/// many decisions it begins anew.
const MOST: usize = 10_000;

/// Decisions by host, as it was sent, and first part of the path. Only those that nobody's identity was asked for, and at the
/// platform's own hosts.
#[derive(Debug, Default)]
pub(crate) struct Recall(Mutex<Decisions>);

#[derive(Debug, Default)]
struct Decisions {
    by_host: HashMap<Box<[u8]>, HashMap<Box<str>, Remembered>>,
    count: usize,
}

/// Where a request goes.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    pub(crate) callee: &'a Arc<Callee>,
    /// What the gateway is told instead of the path's first part, with a slash before it.
    pub(crate) prefix: &'a str,
    /// What follows that in the path.
    pub(crate) rest: &'a str,
}

#[derive(Debug)]
struct Remembered {
    callee: Arc<Callee>,
    /// The host in its one form.
    host: Box<str>,
    /// What the gateway is told instead of the path's first part, with a slash before it.
    prefix: Box<str>,
    until: Instant,
}

impl Recall {
    /// Where a request goes, if that was decided lately. `named` is the host that its connection was made for.
    pub(crate) fn find<B>(&self, request: &Request<B>, named: Option<&str>, now: Instant) -> Option<Passage> {
        let (host, path) = (the_only_host(request)?, request.uri().path());
        let (target, callee) = self.lookup(host.as_bytes(), path, named, now, |found| {
            (target([found.prefix, found.rest], request.uri().query()), found.callee.clone())
        })?;
        let (host, border) = (host.clone(), Border::of(Side::Function));
        Some(Passage { to: To::Gateway, target: target?, host, border, callee: Some(callee), again: None })
    }

    /// The same by the host's only header and the path, which is checked.
    pub(crate) fn lookup<T>(
        &self,
        host: &[u8],
        path: &str,
        named: Option<&str>,
        now: Instant,
        take: impl FnOnce(Found<'_>) -> T,
    ) -> Option<T> {
        path::check(path).ok()?;
        let (name, rest) = route::first_part(path);
        let decisions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = decisions.by_host.get(host)?.get(name)?;
        let right = found.until > now && named.is_none_or(|named| named == &*found.host);
        right.then(|| take(Found { callee: &found.callee, prefix: &found.prefix, rest }))
    }

    /// Remembers where a request went, if that may be done again.
    pub(crate) fn keep<B>(&self, request: &Request<B>, passage: &Passage) {
        let (Some(again), Some(callee)) = (&passage.again, &passage.callee) else { return };
        let Some(host) = the_only_host(request) else { return };
        let (name, _) = route::first_part(request.uri().path());
        let remembered = Remembered {
            callee: callee.clone(),
            host: again.host.as_str().into(),
            prefix: route::at_gateway(&callee.function, "").into(),
            until: again.until,
        };
        let mut decisions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if decisions.count >= MOST {
            *decisions = Decisions::default();
        }
        let functions = decisions.by_host.entry(host.as_bytes().into()).or_default();
        if functions.insert(name.into(), remembered).is_none() {
            decisions.count += 1;
        }
    }
}

/// The host's header, where nothing else names a host.
fn the_only_host<B>(request: &Request<B>) -> Option<&HeaderValue> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().filter(|_| request.uri().authority().is_none())?;
    hosts.next().is_none().then_some(host)
}

#[cfg(test)]
mod tests;
