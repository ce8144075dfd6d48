//! One request, from its head to the beginning of its answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Either;
use hyper::body::Incoming;
use sdk::call::CallId;
use sdk::failure::chain;
use tokio_util::sync::CancellationToken;
use upstream::{Inbound, Limits, Upstream, forward};

use crate::config::{self, Config};
use crate::connections::Slot;
use crate::gate::{Gate, Passage, To};
use crate::outside::{self, Arrival, CALL_ID};
use crate::reply::{self, Body};
use crate::route;

/// Idle connections to the services behind are closed after this; the services keep theirs longer.
const UPSTREAM_IDLE: Duration = Duration::from_secs(30);

/// How long a page of of-auth's may take: it may have to ask a provider.
const AUTH_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest form or request that of-auth gets, in bytes.
const MAX_AUTH_BODY: u64 = 64 * 1024;

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
    scheme: HeaderValue,
    gateway: Behind,
    git: Option<Behind>,
    auth: Option<Behind>,
    gate: Gate,
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
        let auth = config.auth_url.as_ref();
        let auth = auth.map(|url| Behind::new(url, limits(AUTH_TIMEOUT), MAX_AUTH_BODY)).transpose()?;
        Ok(Self {
            scheme: HeaderValue::from_str(&config.public_scheme)?,
            gateway,
            git,
            auth,
            gate: Gate::start(config)?,
            client_timeout: config.client_timeout,
            shutdown,
        })
    }

    /// Closes idle connections to the services behind.
    pub(crate) fn sweep(&self) {
        self.gateway.pool.sweep();
        self.git.iter().chain(&self.auth).for_each(|behind| behind.pool.sweep());
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
            path = route::shown(&path),
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
        let passage = match self.gate.admit(&request).await {
            Ok(passage) => passage,
            Err(answer) => return *answer,
        };
        let behind = match passage.to {
            To::Gateway => Some(&self.gateway),
            To::Git => self.git.as_ref(),
            To::Auth => self.auth.as_ref(),
        };
        // The gate lets nothing through to what is not there.
        let Some(behind) = behind else {
            return reply::text(StatusCode::NOT_FOUND, "There is nothing here.");
        };
        let border = passage.border.clone();
        let mut response = self.pass_on(behind, passage, request, client, call_id, slot).await;
        border.let_out(response.headers_mut());
        response
    }

    async fn pass_on(
        &self,
        behind: &Behind,
        passage: Passage,
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
        parts.uri = passage.target;
        let (host, border) = (&passage.host, &passage.border);
        let arrival = Arrival { client: client.ip(), host, scheme: &self.scheme, call_id: &id, border };
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
