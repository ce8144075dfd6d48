//! What becomes of a request: it goes on to somebody, or is answered here.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use sdk::access::Access;
use sdk::gateway::Gateway;
use sdk::id::ServiceName;
use sdk::identity::{Identity, IdentityKey};
use sdk::secrets::SECRETS_FUNCTION;
use secrecy::SecretString;

use crate::access::{self, Decision, Need, answers};
use crate::auth::cache::Cache;
use crate::auth::{Auth, Digest, Said, credential};
use crate::callee::Callee;
use crate::config::Config;
use crate::customs;
use crate::domain::{self, Domain};
use crate::hosts::Hosts;
use crate::metrics::AuthDecision;
use crate::outside::{Border, Side};
use crate::ownership::{Ownership, Verdict};
use crate::passage::{Again, Passage, To, target};
use crate::reply::{self, Body};
use crate::route::{self, Refusal, Route, Target};
use crate::serving::Common;

/// How long a function may believe who calls.
const TOLD_FOR: Duration = Duration::from_secs(60);
/// How long the same words are used again.
const TELL_AGAIN: Duration = Duration::from_secs(10);
/// How many words are remembered.
const MAX_TOLD: usize = 10_000;
/// The function behind the dashboard.
const DASHBOARD: &str = "system-dashboard";
/// How something is read that has but one meaning,
const READING: &[Method] = &[Method::GET, Method::HEAD];
/// and sent.
const SENDING: &[Method] = &[Method::POST];

/// An answer of the router's own. Where it is about who calls, an [`AuthDecision`] is among its extensions.
pub(crate) type Refused = Box<Response<Body>>;

/// Decides on requests.
#[derive(Debug)]
pub(crate) struct Gate {
    domain: Domain,
    ownership: Ownership,
    hosts: Hosts,
    has_git: bool,
    signing_in: Option<SigningIn>,
}

/// How it is found out who calls, and told on.
#[derive(Debug)]
struct SigningIn {
    auth: Auth,
    secure: bool,
    payload_secret: SecretString,
    told: Cache<(Digest, ServiceName), Arc<HeaderMap>>,
}

/// Where a request goes on.
struct Way {
    to: To,
    path: String,
    border: Border,
    /// Until when the whole host's requests with this first part of the path may go there without another look.
    until: Option<Instant>,
}

/// A request's head.
struct Head<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    /// In its one form.
    host: String,
    /// As it was sent, lower-cased.
    shown: &'a str,
}

impl Gate {
    /// Starts what it needs to know in the background. Has to be called within a runtime.
    pub(crate) fn start(config: &Config, common: &Common) -> anyhow::Result<Self> {
        let gateway =
            Gateway::new(config.gateway_url.clone(), config.gateway_user.clone(), config.gateway_password.clone());
        let signing_in = config.auth()?.map(|auth| SigningIn {
            auth: Auth::start(&auth),
            secure: auth.secure,
            payload_secret: auth.payload_secret,
            told: Cache::new(MAX_TOLD),
        });
        let before = common.customs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let hosts = Hosts::start(config, gateway.clone(), &before)?;
        *common.customs.lock().unwrap_or_else(PoisonError::into_inner) = hosts.table().clone();
        common.edge.iter().for_each(|edge| edge.also(hosts.table().allowed()));
        Ok(Self {
            domain: config.domain.clone(),
            hosts,
            ownership: Ownership::new(gateway, config.owner_cache),
            has_git: config.git_url.is_some(),
            signing_in,
        })
    }

    /// Where a request goes, or what it is answered. `named` is the host that its connection was made for, if there was one
    /// named.
    pub(crate) async fn admit<B>(&self, request: &Request<B>, named: Option<&str>) -> Result<Passage, Refused> {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        if matches!(*method, Method::CONNECT | Method::TRACE) {
            return Err(said(reply::text(StatusCode::METHOD_NOT_ALLOWED, "This method is not served.")));
        }
        let refuse = |refusal: &Refusal, shown: &str| said(reply::refuse(refusal, shown, uri.path()));
        let sent = the_host(uri, headers, request.version()).ok_or_else(|| refuse(&Refusal::BadHost, ""))?;
        let shown = sent.to_str().unwrap_or_default().to_ascii_lowercase();
        let host = domain::host_of(&shown).map_err(|_| refuse(&Refusal::BadHost, ""))?;
        let customs = self.hosts.table().now();
        if named.is_some_and(|named| route::is_misdirected(&self.domain, &customs, named, &host)) {
            return Err(said(reply::misdirected()));
        }
        let route = route::decide(&self.domain, &customs, &host, uri.path());
        let route = route.map_err(|refusal| refuse(&refusal, &shown))?;
        let callee = match &route {
            Route::Function(target) => Some(Callee::new(target.owner.clone(), target.service.clone())),
            _ => None,
        };
        let head = Head { method, uri, headers, host, shown: &shown };
        let Way { to, path, border, until } = self.follow(&head, route).await?;
        let target = target([&path, ""], uri.query());
        let target =
            target.ok_or_else(|| said(reply::text(StatusCode::BAD_REQUEST, "The address is not well-formed.")))?;
        let host = if to == To::Auth { head.plain_host() } else { sent };
        let again = until.map(|until| Again { until, host: head.host });
        Ok(Passage { to, target, host, border, callee, again })
    }

    async fn follow(&self, head: &Head<'_>, route: Route) -> Result<Way, Refused> {
        let path = || head.uri.path().to_owned();
        let nothing = || said(reply::not_found(head.shown, head.uri.path()));
        match route {
            Route::Health => Err(said(reply::text(StatusCode::OK, "OK"))),
            Route::About => Err(said(reply::about(self.domain.as_str(), head.shown))),
            Route::Git if self.has_git => Ok(Way::new(To::Git, path(), Border::of(Side::Git))),
            Route::Auth if self.signing_in.is_some() => Ok(Way::new(To::Auth, path(), Border::of(Side::Auth))),
            Route::Git | Route::Auth => Err(nothing()),
            Route::Event { path } => Ok(Way::new(To::Gateway, path, Border::of(Side::Function))),
            Route::Dashboard { path } => {
                let service = DASHBOARD.parse().map_err(|_| nothing())?;
                let border = self.check(head, Need::Person, &head.host, true, &service, "").await?;
                Ok(Way::new(To::Gateway, path, border))
            }
            Route::Badge { path } | Route::Certificate { path } => {
                only(head.method, READING)?;
                Ok(Way::new(To::Gateway, path, Border::of(Side::Function)))
            }
            Route::Secrets { path, is_read } => {
                only(head.method, if is_read { READING } else { SENDING })?;
                let service = SECRETS_FUNCTION.parse().map_err(|_| nothing())?;
                let border = self.check(head, Need::Person, &head.host, true, &service, "").await?;
                Ok(Way::new(To::Gateway, path, border))
            }
            Route::Function(target) => self.function(head, target).await,
        }
    }

    async fn function(&self, head: &Head<'_>, target: Target) -> Result<Way, Refused> {
        let nothing = || said(reply::not_found(head.shown, head.uri.path()));
        let (facts, until) = match self.ownership.check(&target.owner, &target.service).await {
            Verdict::Yes { facts, until } => (facts, until),
            Verdict::No => return Err(nothing()),
            Verdict::Unclear => return Err(said(reply::unclear())),
        };
        let owner = facts.owner.as_ref();
        let is_proven = |proven| owner.is_some_and(|owner| customs::names(proven, owner));
        if !target.proven.as_ref().is_none_or(is_proven) {
            return Err(nothing());
        }
        // A public function pays nothing for sessions: nobody is looked up, and it is told nobody.
        let role = match facts.access {
            Access::Public => {
                let until = until.filter(|_| target.is_by_first_part());
                return Ok(Way { until, ..Way::new(To::Gateway, target.path, Border::of(Side::Function)) });
            }
            other => other.role().unwrap_or(sdk::identity::Role::Owner),
        };
        // At a custom domain a token is one for the owner's own host.
        let home = format!("{}.{}", target.owner, self.domain);
        let need = Need::Role(role, owner);
        let border = self.check(head, need, &home, target.at_home, &target.service, target.owner.as_str()).await?;
        Ok(Way::new(To::Gateway, target.path, border))
    }

    /// Lets a caller through who has what is needed. `host` is the one that tokens have to be for.
    async fn check(
        &self,
        head: &Head<'_>,
        need: Need<'_>,
        host: &str,
        at_home: bool,
        service: &ServiceName,
        owner: &str,
    ) -> Result<Border, Refused> {
        let signing_in =
            self.signing_in.as_ref().ok_or_else(|| closed(AuthDecision::Unclear, answers::no_sign_in()))?;
        let credential = credential::find(head.headers, signing_in.secure, at_home);
        let (caller, digest, renewed) = match signing_in.auth.identify(host, credential).await {
            Said::Somebody { caller, digest, renewed } => (Some(caller), digest, renewed),
            Said::Nobody { refused: false } => (None, Digest::default(), None),
            Said::Nobody { refused: true } => return Err(closed(AuthDecision::SignIn, answers::bad_token())),
            Said::Unclear => return Err(closed(AuthDecision::Unclear, answers::unclear())),
        };
        let decision = access::decide(need, caller.as_ref(), head.method, head.headers, &head.host);
        match (decision, &caller) {
            (Decision::Go, Some(caller)) => {
                let watch = Some(signing_in.auth.watch(caller));
                let caller = signing_in.tell(digest, service, &caller.claims.who);
                Ok(Border { side: Side::Function, caller: Some(caller), renewed, watch })
            }
            (Decision::Forbidden, Some(caller)) => {
                let login = caller.claims.who.login.as_str();
                Err(closed(AuthDecision::Forbidden, answers::forbidden(login, owner)))
            }
            (Decision::Scope(scope), _) => Err(closed(AuthDecision::Forbidden, answers::wrong_scope(scope))),
            (Decision::ForeignPage, _) => Err(closed(AuthDecision::Forbidden, answers::foreign_page())),
            _ if at_home => {
                let answer = answers::sign_in(head.method, head.headers, head.uri.path(), head.uri.query());
                Err(closed(AuthDecision::SignIn, answer))
            }
            _ => Err(closed(AuthDecision::SignIn, answers::not_here())),
        }
    }
}

impl Way {
    fn new(to: To, path: String, border: Border) -> Self {
        Self { to, path, border, until: None }
    }
}

impl SigningIn {
    /// The headers that say who calls. They are made once for several requests.
    fn tell(&self, digest: Digest, service: &ServiceName, who: &Identity) -> Arc<HeaderMap> {
        let (key, now) = ((digest, service.clone()), Instant::now());
        if let Some(told) = self.told.get(&key, now) {
            return told;
        }
        let mut headers = HeaderMap::new();
        IdentityKey::derive(&self.payload_secret, service.as_str()).tell(&mut headers, who, TOLD_FOR);
        let told = Arc::new(headers);
        self.told.put(key, told.clone(), now, TELL_AGAIN);
        told
    }
}

impl Head<'_> {
    /// The host in its one form, with the port that it was sent with.
    fn plain_host(&self) -> HeaderValue {
        let port = self.shown.rsplit_once(':').map(|(_, port)| format!(":{port}")).unwrap_or_default();
        HeaderValue::try_from(format!("{}{port}", self.host)).unwrap_or(HeaderValue::from_static(""))
    }
}

/// Lets these methods through and no others.
fn only(method: &Method, served: &[Method]) -> Result<(), Refused> {
    if served.contains(method) {
        return Ok(());
    }
    let mut response = reply::text(StatusCode::METHOD_NOT_ALLOWED, "This method is not served.");
    let allow = served.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    response.headers_mut().extend(HeaderValue::try_from(allow).ok().map(|allow| (header::ALLOW, allow)));
    Err(said(response))
}

/// An answer about who calls.
fn closed(decision: AuthDecision, mut response: Response<Body>) -> Refused {
    response.extensions_mut().insert(decision);
    said(response)
}

fn said(response: Response<Body>) -> Refused {
    Box::new(response)
}

/// The one host that a request names: in its target, in its header, or the same in both. From HTTP/2 on, the target
/// has it.
fn the_host(uri: &Uri, headers: &HeaderMap, version: Version) -> Option<HeaderValue> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let header = hosts.next();
    if hosts.next().is_some() {
        return None;
    }
    match (uri.authority(), header) {
        (None, header) => header.cloned(),
        (Some(authority), Some(header)) => {
            authority.as_str().as_bytes().eq_ignore_ascii_case(header.as_bytes()).then(|| header.clone())
        }
        (Some(authority), None) if version > Version::HTTP_11 => HeaderValue::from_str(authority.as_str()).ok(),
        (Some(_), None) => None,
    }
}
