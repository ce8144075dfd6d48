//! One request, from its head to the beginning of its answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{self, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::Either;
use hyper::body::Incoming;
use sdk::call::CallId;
use sdk::failure::chain;
use sdk::gateway::Gateway;
use tokio_util::sync::CancellationToken;
use upstream::{Inbound, Limits, Upstream, forward};

use crate::config::{self, Config};
use crate::connections::{Client, Door};
use crate::domain::Domain;
use crate::outside::{self, Arrival, CALL_ID};
use crate::ownership::{Ownership, Verdict};
use crate::reply::{self, Body};
use crate::route::{self, Refusal, Route};
use crate::tls::{Edge, Plain};

/// Idle connections to the services behind are closed after this; the services keep theirs longer.
const UPSTREAM_IDLE: Duration = Duration::from_secs(30);

/// One service behind the router.
#[derive(Debug)]
struct Behind {
    pool: Arc<Upstream<Inbound>>,
    host: HeaderValue,
    limits: Limits,
    max_body: u64,
}

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct Router {
    domain: Domain,
    scheme: HeaderValue,
    gateway: Behind,
    git: Option<Behind>,
    ownership: Ownership,
    pub(crate) client_timeout: Duration,
    pub(crate) shutdown: CancellationToken,
}

impl Behind {
    fn new(url: &url::Url, limits: Limits, max_body: u64) -> anyhow::Result<Self> {
        let authority = config::authority(url)?;
        let host = HeaderValue::from_str(&authority)?;
        Ok(Self { pool: Upstream::new(authority, UPSTREAM_IDLE), host, limits, max_body })
    }
}

impl Router {
    pub(crate) fn new(config: &Config, shutdown: CancellationToken) -> anyhow::Result<Self> {
        let limits = |head| Limits { head, pause: config.idle_timeout };
        let gateway = Behind::new(&config.gateway_url, limits(config.upstream_timeout), config.max_body_bytes)?;
        let git = config.git_url.as_ref();
        let git = git.map(|url| Behind::new(url, limits(config.git_timeout), config.max_git_body_bytes)).transpose()?;
        let client =
            Gateway::new(config.gateway_url.clone(), config.gateway_user.clone(), config.gateway_password.clone());
        Ok(Self {
            domain: config.domain.clone(),
            scheme: HeaderValue::from_str(&config.public_scheme)?,
            gateway,
            git,
            ownership: Ownership::new(client, config.owner_cache),
            client_timeout: config.client_timeout,
            shutdown,
        })
    }

    /// Closes idle connections to the services behind.
    pub(crate) fn sweep(&self) {
        self.gateway.pool.sweep();
        self.git.iter().for_each(|git| git.pool.sweep());
    }

    /// Answers a request and writes it to the access log.
    pub(crate) async fn answer(&self, request: Request<Incoming>, client: Client) -> Response<Body> {
        let began = Instant::now();
        let call_id = CallId::random();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let host = the_host(&request);
        let (door, address) = (client.door.clone(), client.address);
        let mut response = match sent_away(&door, host.as_ref(), &request).await {
            Some(response) => response,
            None => self.route(request, client, &call_id).await,
        };
        if let Door::Encrypted(edge) = &door {
            tell_of_encryption(edge, host.as_ref(), response.headers_mut());
        }
        if let Ok(value) = HeaderValue::from_str(&call_id.to_string()) {
            response.headers_mut().insert(CALL_ID, value);
        }
        tracing::info!(
            %method,
            host = host.as_ref().and_then(|h| h.to_str().ok()),
            path,
            status = response.status().as_u16(),
            seconds = began.elapsed().as_secs_f64(),
            client = %address.ip(),
            %call_id,
            "request"
        );
        response
    }

    async fn route(&self, request: Request<Incoming>, client: Client, call_id: &CallId) -> Response<Body> {
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return reply::text(StatusCode::METHOD_NOT_ALLOWED, "This method is not served.");
        }
        let Some(host) = the_host(&request) else {
            return reply::refuse(&Refusal::BadHost, "", "");
        };
        let shown = host.to_str().unwrap_or_default().to_ascii_lowercase();
        let route = match route::decide(&self.domain, &shown, request.uri().path()) {
            Ok(route) => route,
            Err(refusal) => return reply::refuse(&refusal, &shown, request.uri().path()),
        };
        let (behind, path) = match (&route, &self.git) {
            (Route::Health, _) => return reply::text(StatusCode::OK, "OK"),
            (Route::About, _) => return reply::about(self.domain.as_str(), &shown),
            (Route::Git, None) => return reply::not_found(&shown, request.uri().path()),
            (Route::Git, Some(git)) => (git, request.uri().path()),
            (Route::Platform { path }, _) => (&self.gateway, path.as_str()),
            (Route::Function { owner, service, path }, _) => match self.ownership.check(owner, service).await {
                Verdict::Yes => (&self.gateway, path.as_str()),
                Verdict::No => return reply::not_found(&shown, request.uri().path()),
                Verdict::Unclear => return reply::unclear(),
            },
        };
        let Some(target) = target(path, request.uri().query()) else {
            return reply::text(StatusCode::BAD_REQUEST, "The address is not well-formed.");
        };
        self.pass_on(behind, target, &host, request, client, call_id).await
    }

    async fn pass_on(
        &self,
        behind: &Behind,
        target: Uri,
        host: &HeaderValue,
        request: Request<Incoming>,
        client: Client,
        call_id: &CallId,
    ) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        let body = Inbound::new(body, behind.max_body, self.client_timeout);
        if body.is_surely_too_long() {
            return reply::too_long(behind.max_body);
        }
        let Ok(id) = HeaderValue::from_str(&call_id.to_string()) else {
            return reply::text(StatusCode::INTERNAL_SERVER_ERROR, "The request could not be named.");
        };
        parts.uri = target;
        let encrypted = HeaderValue::from_static("https");
        let scheme = if matches!(client.door, Door::Encrypted(_)) { &encrypted } else { &self.scheme };
        let arrival = Arrival { client: client.address.ip(), host, scheme, call_id: &id };
        outside::replace(&mut parts.headers, &arrival, behind.host.clone());
        let request = Request::from_parts(parts, body);
        match forward(&behind.pool, request, Some(client.slot), behind.limits, &self.shutdown).await {
            Ok(response) => response.map(Either::Left),
            Err(error) => {
                tracing::warn!(%call_id, cause = chain(&error), "a request got no answer from behind");
                reply::failed(&error, behind.max_body)
            }
        }
    }
}

/// The answer to a request that came without encryption where there is some.
async fn sent_away(door: &Door, host: Option<&HeaderValue>, request: &Request<Incoming>) -> Option<Response<Body>> {
    let Door::Plain(Some(edge)) = door else { return None };
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    match edge.plain(host, request.uri().path(), request.uri().query()).await {
        Plain::Serve => None,
        Plain::Challenge(text) => Some(reply::challenge(text)),
        Plain::Redirect(location) => Some(reply::moved(location)),
        Plain::Unknown => Some(reply::text(StatusCode::NOT_FOUND, "There is no such host here.")),
    }
}

/// Ours stands in place of what a function says: it speaks for its host only as long as that is its own.
fn tell_of_encryption(edge: &Edge, host: Option<&HeaderValue>, headers: &mut HeaderMap) {
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    if let Some(value) = edge.hsts(host) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value.clone());
    }
}

/// The one host that a request names: in its target, in its header, or the same in both.
fn the_host<B>(request: &Request<B>) -> Option<HeaderValue> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let header = hosts.next();
    if hosts.next().is_some() {
        return None;
    }
    match (request.uri().authority(), header) {
        (None, header) => header.cloned(),
        (Some(authority), Some(header)) => {
            authority.as_str().as_bytes().eq_ignore_ascii_case(header.as_bytes()).then(|| header.clone())
        }
        // In HTTP/2 the authority is all there need be.
        (Some(authority), None) if request.version() == Version::HTTP_2 => {
            HeaderValue::from_str(authority.as_str()).ok()
        }
        (Some(_), None) => None,
    }
}

/// The target for the service behind: the path that was decided on and the query as it came.
fn target(path: &str, query: Option<&str>) -> Option<Uri> {
    let text = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    PathAndQuery::try_from(text).ok().map(Uri::from)
}
