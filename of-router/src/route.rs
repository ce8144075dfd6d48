//! Where a request goes. Pure: no input or output, and what it decides on is what is forwarded.

use sdk::id::{FunctionName, Owner, ServiceName};

use crate::domain::{self, Domain, Place};
use crate::path::{self, BadPath};

/// The label of the platform's own functions.
const SYSTEM: &str = "system";
/// The label of the git host.
const GIT: &str = "git";
/// The platform's functions that are public: by the first part of the path, the function at the gateway.
/// Everything else of the platform cannot be reached from outside.
const PUBLIC: [(&str, &str); 3] =
    [("github-event", "github-event"), ("gitlab-event", "gitlab-event"), ("dashboard", "system-dashboard")];

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// An owner's function, if the gateway says that it is the owner's.
    Function { owner: Owner, service: ServiceName, path: String },
    /// A public function of the platform.
    Platform { path: String },
    /// The git host, with the path as it is.
    Git,
    /// A page that says what this place is.
    About,
    /// The router's own health.
    Health,
}

/// Why a request goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The host is malformed, or there is not exactly one.
    BadHost,
    /// The path is malformed or ambiguous.
    BadPath(BadPath),
    /// Well-formed, and nothing is there.
    Unknown,
}

/// Decides on a request to `authority` (host, perhaps with a port) for `path` (as sent, without the query).
pub(crate) fn decide(domain: &Domain, authority: &str, path: &str) -> Result<Route, Refusal> {
    let place = domain::place(domain, authority).map_err(|_| Refusal::BadHost)?;
    path::check(path).map_err(Refusal::BadPath)?;
    if path == "/healthz" {
        return Ok(Route::Health);
    }
    match place {
        Place::Root if path == "/" => Ok(Route::About),
        Place::Root | Place::Elsewhere => Err(Refusal::Unknown),
        Place::Sub(label) if label == SYSTEM => system(path),
        Place::Sub(label) if label == GIT => git(path),
        Place::Sub(label) => function(&label, path),
    }
}

fn system(path: &str) -> Result<Route, Refusal> {
    if path == "/" {
        return Ok(Route::About);
    }
    let (name, rest) = first_part(path);
    let (_, function) = PUBLIC.iter().find(|(public, _)| *public == name).ok_or(Refusal::Unknown)?;
    Ok(Route::Platform { path: format!("/function/{function}{rest}") })
}

/// Repositories only; the git host's REST interface is for the platform, which does not come this way.
fn git(path: &str) -> Result<Route, Refusal> {
    let mut parts = path[1..].split('/');
    let (owner, repo, what) = (parts.next(), parts.next(), parts.next());
    let named = owner.is_some_and(|owner| owner.parse::<Owner>().is_ok());
    let is_repo = repo.is_some_and(|repo| repo.len() > ".git".len() && repo.ends_with(".git"));
    if named && is_repo && what.is_some() { Ok(Route::Git) } else { Err(Refusal::Unknown) }
}

fn function(label: &str, path: &str) -> Result<Route, Refusal> {
    let owner: Owner = label.parse().map_err(|_| Refusal::Unknown)?;
    if sdk::reserved::is_login(&owner) {
        return Err(Refusal::Unknown);
    }
    let (name, rest) = first_part(path);
    let function: FunctionName = name.parse().map_err(|_| Refusal::Unknown)?;
    let service = ServiceName::of(&owner, &function).map_err(|_| Refusal::Unknown)?;
    if sdk::reserved::is_function(&service) {
        return Err(Refusal::Unknown);
    }
    let path = format!("/function/{service}{rest}");
    Ok(Route::Function { owner, service, path })
}

/// The first part of a path and the rest, which is empty or begins with a slash.
fn first_part(path: &str) -> (&str, &str) {
    let rest = &path[1..];
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

#[cfg(test)]
mod tests;
