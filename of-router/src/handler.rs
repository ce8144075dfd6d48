//! One request, from its head to the beginning of its answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{self, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::Either;
use hyper::body::Incoming;
use sdk::call::CallId;
use sdk::failure::chain;
use sdk::gateway::Gateway;
use tokio_util::sync::CancellationToken;
use upstream::{Inbound, Limits, Upstream, forward};

use crate::config::{self, Config};
use crate::connections::Slot;
use crate::domain::Domain;
use crate::outside::{self, Arrival, CALL_ID};
use crate::ownership::{Ownership, Verdict};
use crate::reply::{self, Body};
use crate::route::{self, Refusal, Route};

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
    pub(crate) async fn answer(&self, request: Request<Incoming>, client: SocketAddr, slot: Slot) -> Response<Body> {
        let began = Instant::now();
        let call_id = CallId::random();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let host = request.headers().get(header::HOST).cloned();
        let mut response = self.route(request, client, &call_id, slot).await;
        if let Ok(value) = HeaderValue::from_str(&call_id.to_string()) {
            response.headers_mut().insert(CALL_ID, value);
        }
        tracing::info!(
            %method,
            host = host.as_ref().and_then(|h| h.to_str().ok()),
            path,
            status = response.status().as_u16(),
            seconds = began.elapsed().as_secs_f64(),
            client = %client.ip(),
            %call_id,
            "request"
        );
        response
    }

    async fn route(
        &self,
        request: Request<Incoming>,
        client: SocketAddr,
        call_id: &CallId,
        slot: Slot,
    ) -> Response<Body> {
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return reply::text(StatusCode::METHOD_NOT_ALLOWED, "This method is not served.");
        }
        let Some(host) = the_host(request.uri(), request.headers()) else {
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
        self.pass_on(behind, target, &host, request, client, call_id, slot).await
    }

    #[expect(clippy::too_many_arguments, reason = "all that is known of one request, used once")]
    async fn pass_on(
        &self,
        behind: &Behind,
        target: Uri,
        host: &HeaderValue,
        request: Request<Incoming>,
        client: SocketAddr,
        call_id: &CallId,
        slot: Slot,
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
        let arrival = Arrival { client: client.ip(), host, scheme: &self.scheme, call_id: &id };
        outside::replace(&mut parts.headers, &arrival, behind.host.clone());
        let request = Request::from_parts(parts, body);
        match forward(&behind.pool, request, Some(slot), behind.limits, &self.shutdown).await {
            Ok(response) => response.map(Either::Left),
            Err(error) => {
                tracing::warn!(%call_id, cause = chain(&error), "a request got no answer from behind");
                reply::failed(&error, behind.max_body)
            }
        }
    }
}

/// The one host that a request names: in its target, in its header, or the same in both.
fn the_host(uri: &Uri, headers: &HeaderMap) -> Option<HeaderValue> {
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
