//! Whether somebody may do what is asked. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use http::header::{self, HeaderMap};
use sdk::id::OwnerId;
use sdk::identity::{Identity, Role};
use session::Claims;
use session::protocol::Scope;

pub(crate) mod answers;

/// Who calls, as far as it is certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) claims: Arc<Claims>,
    /// What the token is limited to; a session's is not.
    pub(crate) scopes: Option<Arc<BTreeSet<Scope>>>,
    /// Whether a cookie said so, which browsers send unasked.
    pub(crate) by_cookie: bool,
}

/// What a caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need<'a> {
    /// A role at the owner of a function; nobody has one at an owner that is not known.
    Role(Role, Option<&'a OwnerId>),
    /// To be somebody: what may be seen, the page decides itself.
    Person,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It goes on.
    Go,
    /// Nobody is known to call.
    SignIn,
    /// Who calls may not.
    Forbidden,
    /// The token is for other things.
    Scope(Scope),
    /// Another site's page made the browser ask.
    ForeignPage,
}

/// Decides on a request. `host` is its own, in its one form.
pub(crate) fn decide(
    need: Need<'_>,
    caller: Option<&Caller>,
    method: &Method,
    headers: &HeaderMap,
    host: &str,
) -> Decision {
    let Some(caller) = caller else { return Decision::SignIn };
    let who = &caller.claims.who;
    if who.id == 0 || who.host.is_empty() {
        return Decision::SignIn;
    }
    let wanted = match need {
        Need::Role(..) => Scope::Invoke,
        Need::Person if is_reading(method) => Scope::Read,
        Need::Person => Scope::Write,
    };
    if caller.scopes.as_ref().is_some_and(|scopes| !scopes.contains(&wanted)) {
        return Decision::Scope(wanted);
    }
    if caller.by_cookie && (!is_reading(method) || upstream::is_upgrade(headers)) && is_foreign(headers, host) {
        return Decision::ForeignPage;
    }
    match need {
        Need::Person => Decision::Go,
        Need::Role(role, Some(owner)) if role_at(who, owner).is_some_and(|has| has >= role) => Decision::Go,
        Need::Role(..) => Decision::Forbidden,
    }
}

/// The label of a function may hold another form of the host (`sdk::labels::value`).
fn role_at(who: &Identity, owner: &OwnerId) -> Option<Role> {
    let same = sdk::labels::value(&who.host) == owner.host.as_str();
    same.then(|| who.role_at(&OwnerId { host: who.host.clone(), id: owner.id })).flatten()
}

fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// True if a page of another host made the browser ask. All owners are below one domain, so `SameSite` alone would
/// let one owner's page use a visitor's session at another's. Programs that are no browsers say nothing.
fn is_foreign(headers: &HeaderMap, host: &str) -> bool {
    if let Some(origin) = headers.get(header::ORIGIN) {
        let text = origin.to_str().unwrap_or_default();
        let authority = text.split_once("://").map(|(_, authority)| authority);
        let same = authority.and_then(|authority| crate::domain::host_of(authority).ok());
        return same.as_deref() != Some(host);
    }
    let site = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    site.is_some_and(|site| site != b"same-origin" && site != b"none")
}

#[cfg(test)]
mod tests;
