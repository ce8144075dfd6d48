//! Where a request goes. Pure: no input or output, and what it decides on is what is forwarded.

use sdk::id::{FunctionName, Owner, OwnerId, ServiceName};
use sdk::secrets::SECRETS_FUNCTION;
use sdk::signing::PROOF_DIGITS;

use crate::customs::Customs;
use crate::domain::{self, Domain, Place};
use crate::path::{self, BadPath};

/// The label of the platform's own functions.
const SYSTEM: &str = "system";
/// The labels of of-auth's host.
const AUTH: &str = "auth.system";
/// The label of the git host.
const GIT: &str = "git";
/// The platform's functions that everybody may call, as they check signatures themselves: by the first part of the
/// path, the function at the gateway. Everything else of the platform but what is named here cannot be reached from outside.
const EVENTS: [&str; 2] = ["github-event", "gitlab-event"];
/// The platform's page, by its first part and by its function.
const DASHBOARD: (&str, &str) = ("dashboard", "system-dashboard");
/// How addresses of badges begin. They go on with an owner, a function and the proof that the dashboard gave for it.
const BADGE: &str = "/badge/";
/// Where the certificate is to seal secrets with; the second is the original's address of it.
const CERTIFICATES: [&str; 2] = ["/v1/cert.pem", "/dashboard/api/pub-cert.pem"];
/// What people ask import-secrets besides, and whether that is read or sent. Its other paths are for the pipeline alone.
const SECRETS: [(&str, bool); 3] = [("/v1/report", true), ("/v1/verify", false), ("/v1/rotate", false)];
/// of-auth's pages that every platform host has: `session::protocol::HOST_PAGES` and a name.
const HOST_PAGES: [&str; 3] = ["/.ofc/login", "/.ofc/session", "/.ofc/logout"];
/// of-auth's pages at its own host: these,
const AUTH_PAGES: [&str; 7] =
    ["/", "/login", "/logout", "/oauth2/authorized", "/tokens", "/device", "/.well-known/jwks.json"];
/// and what is below these. Its questions and notices are for the router alone.
const AUTH_FOLDERS: [&str; 5] = ["login", "tokens", "device", "api", "static"];
/// The git host's pages besides repositories: these,
const GIT_PAGES: [&str; 4] = ["/login", "/login/continue", "/login/oauth/authorize", "/logout"];
/// and what is below these.
const GIT_FOLDERS: [&str; 2] = [LINKS, "/static/"];
/// The router's own health, at all hosts but custom domains; and how the name of a function at the gateway would end whose
/// other paths are below that.
const HEALTH: &str = "/healthz";
const HEALTH_FUNCTION: &str = "-healthz";
/// The git host's links, which let in who has them.
const LINKS: &str = "/login/link/";

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// An owner's function, if the gateway says that it is the owner's.
    Function(Target),
    /// A function of the platform's that everybody may call.
    Event { path: String },
    /// The platform's page, for who is signed in.
    Dashboard { path: String },
    /// A function's badge, which everybody may read who has its address: the dashboard checks the proof in it.
    Badge { path: String },
    /// The certificate to seal secrets with, which everybody may read.
    Certificate { path: String },
    /// What an owner's people ask about sealed secrets, for who is signed in: read, or else sent.
    Secrets { path: String, is_read: bool },
    /// of-auth, with the path as it is.
    Auth,
    /// The git host, with the path as it is.
    Git,
    /// A page that says what this place is.
    About,
    /// The router's own health.
    Health,
}

/// An owner's function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) owner: Owner,
    pub(crate) service: ServiceName,
    /// For the gateway.
    pub(crate) path: String,
    /// Whether the host is the owner's below our domain, where people can sign in.
    pub(crate) at_home: bool,
    /// Who the owner has to be besides having the login.
    pub(crate) proven: Option<OwnerId>,
}

impl Target {
    /// Whether all well-formed paths that begin with the same part go to the same function, with what follows that part.
    pub(crate) fn is_by_first_part(&self) -> bool {
        // At a custom domain the first part is the function's; and one path is the router's own.
        self.at_home && !self.service.as_str().ends_with(HEALTH_FUNCTION)
    }
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

/// A path as the log may show it: what lets in who has it is left out.
pub(crate) fn shown(path: &str) -> &str {
    match path {
        _ if path.starts_with(LINKS) => LINKS,
        _ if path.starts_with(BADGE) => &path[..=path.rfind('/').unwrap_or_default()],
        _ => path,
    }
}

/// Decides on a request to `host` (in its one form, see [`domain::host_of`]) for `path` (as sent, without the query).
pub(crate) fn decide(domain: &Domain, customs: &Customs, host: &str, path: &str) -> Result<Route, Refusal> {
    path::check(path).map_err(Refusal::BadPath)?;
    let place = domain::place(domain, host);
    if let (Place::Elsewhere, Some(custom)) = (place, customs.get(host)) {
        // Sign-in pages are at the platform's hosts alone.
        if first_part(path).0 == ".ofc" {
            return Err(Refusal::Unknown);
        }
        let (owner, service) = (custom.owner.clone(), custom.service.clone());
        let path = at_gateway(&service, path);
        return Ok(Route::Function(Target { owner, service, path, at_home: false, proven: custom.proven.clone() }));
    }
    if path == HEALTH {
        return Ok(Route::Health);
    }
    match place {
        Place::Root if path == "/" => Ok(Route::About),
        Place::Deeper(AUTH) => auth(path),
        Place::Sub(SYSTEM) => system(path),
        Place::Sub(GIT) => git(path),
        Place::Sub(label) => function(label, path),
        Place::Root | Place::Deeper(_) | Place::Elsewhere => Err(Refusal::Unknown),
    }
}

/// Whether a connection that was made for the host `named` may not carry requests to `host`: they are different owners',
/// or an owner's and the platform's. A name that is none of ours says nothing.
pub(crate) fn is_misdirected(domain: &Domain, customs: &Customs, named: &str, host: &str) -> bool {
    if named == host {
        return false;
    }
    match (party(domain, customs, named), party(domain, customs, host)) {
        (Some(one), Some(other)) => one != other,
        _ => false,
    }
}

/// Whose a host is: an owner's by login, or the platform's.
fn party<'a>(domain: &Domain, customs: &'a Customs, host: &'a str) -> Option<Option<&'a str>> {
    match domain::place(domain, host) {
        Place::Root | Place::Deeper(AUTH) => Some(None),
        Place::Sub(label) => {
            let owner: Owner = label.parse().ok()?;
            Some((!sdk::reserved::is_login(&owner)).then_some(label))
        }
        Place::Elsewhere => customs.get(host).map(|custom| Some(custom.owner.as_str())),
        Place::Deeper(_) => None,
    }
}

fn system(path: &str) -> Result<Route, Refusal> {
    if path == "/" {
        return Ok(Route::About);
    }
    if HOST_PAGES.contains(&path) {
        return Ok(Route::Auth);
    }
    if CERTIFICATES.contains(&path) {
        return Ok(Route::Certificate { path: at_import_secrets(CERTIFICATES[0]) });
    }
    if let Some((path, is_read)) = SECRETS.into_iter().find(|(known, _)| *known == path) {
        return Ok(Route::Secrets { path: at_import_secrets(path), is_read });
    }
    if let Some(badge) = path.strip_prefix(BADGE) {
        return if is_badge(badge) { Ok(Route::Badge { path: at_badges(path) }) } else { Err(Refusal::Unknown) };
    }
    let (name, rest) = first_part(path);
    if name == DASHBOARD.0 {
        return Ok(Route::Dashboard { path: format!("/function/{}{rest}", DASHBOARD.1) });
    }
    if EVENTS.contains(&name) {
        return Ok(Route::Event { path: format!("/function/{name}{rest}") });
    }
    Err(Refusal::Unknown)
}

/// Whether this is `<owner>/<function>/<proof>.svg`, each in its one form, and nothing else.
fn is_badge(text: &str) -> bool {
    let mut parts = text.split('/');
    let (Some(owner), Some(function), Some(file), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_proof = |proof: &str| proof.len() == PROOF_DIGITS && proof.bytes().all(is_digit);
    owner.parse::<Owner>().is_ok_and(|found| found.as_str() == owner)
        && function.parse::<FunctionName>().is_ok()
        && file.strip_suffix(".svg").is_some_and(is_proof)
}

/// What is below `/-/` at the dashboard is no owner's.
fn at_badges(path: &str) -> String {
    format!("/function/{}/-{path}", DASHBOARD.1)
}

fn at_import_secrets(path: &str) -> String {
    format!("/function/{SECRETS_FUNCTION}{path}")
}

/// of-auth's own host. What is not on the list is not there.
fn auth(path: &str) -> Result<Route, Refusal> {
    let (name, rest) = first_part(path);
    let below = AUTH_FOLDERS.contains(&name) && rest.len() > 1;
    if AUTH_PAGES.contains(&path) || HOST_PAGES.contains(&path) || below {
        Ok(Route::Auth)
    } else {
        Err(Refusal::Unknown)
    }
}

/// Repositories and the pages by which people sign in; the git host's REST interface is for the platform, which does
/// not come this way.
fn git(path: &str) -> Result<Route, Refusal> {
    let below = |folder: &&str| path.len() > folder.len() && path.starts_with(*folder);
    if GIT_PAGES.contains(&path) || GIT_FOLDERS.iter().any(below) {
        return Ok(Route::Git);
    }
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
    if HOST_PAGES.contains(&path) {
        return Ok(Route::Auth);
    }
    let (name, rest) = first_part(path);
    let function: FunctionName = name.parse().map_err(|_| Refusal::Unknown)?;
    let service = ServiceName::of(&owner, &function).map_err(|_| Refusal::Unknown)?;
    if sdk::reserved::is_function(&service) {
        return Err(Refusal::Unknown);
    }
    let path = at_gateway(&service, rest);
    Ok(Route::Function(Target { owner, service, path, at_home: true, proven: None }))
}

/// A function's path at the gateway.
pub(crate) fn at_gateway(service: &ServiceName, rest: &str) -> String {
    format!("/function/{service}{rest}")
}

/// The first part of a path and the rest, which is empty or begins with a slash.
pub(crate) fn first_part(path: &str) -> (&str, &str) {
    let rest = &path[1..];
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod property;
#[cfg(test)]
mod tests;
