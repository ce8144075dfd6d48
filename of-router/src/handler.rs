//! One request, from its head to the beginning of its answer.

use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use sdk::failure::chain;
use sdk::gateway::Gateway;
use tokio_util::sync::CancellationToken;
use upstream::{ForwardError, Inbound, Limits, Upstream, forward};

use crate::config::{self, Config};
use crate::domain::Domain;
use crate::metrics::Limit;
use crate::outside::{self, Arrival};
use crate::ownership::{Ownership, Verdict};
use crate::reply::{self, Body, Held, Received};
use crate::route::{self, Refusal, Route};
use crate::serving::lane::Lane;
use crate::serving::owners::{Ticket, TooMany};
use crate::serving::record::Record;
use crate::serving::{Common, Serving};

/// Idle connections to the services behind are closed after this; the services keep theirs longer.
const UPSTREAM_IDLE: Duration = Duration::from_secs(30);
/// When to try again where an owner has too many requests open.
const WAIT: Duration = Duration::from_secs(1);

/// One service behind the router.
#[derive(Debug)]
struct Behind {
    /// One for each worker.
    pools: Vec<Arc<Upstream<Received>>>,
    host: HeaderValue,
    limits: Limits,
    max_body: u64,
}

/// Everything that requests share under one configuration.
#[derive(Debug)]
pub(crate) struct Router {
    domain: Domain,
    scheme: HeaderValue,
    gateway: Behind,
    git: Option<Behind>,
    ownership: Ownership,
    pub(crate) client_timeout: Duration,
    pub(crate) serving: Serving,
    shutdown: CancellationToken,
}

/// One request's circumstances, and what becomes known of it for the access log.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) lane: &'a Lane,
    pub(crate) record: &'a mut Record,
}

impl Behind {
    fn new(url: &url::Url, limits: Limits, max_body: u64, workers: usize) -> anyhow::Result<Self> {
        let authority = config::authority(url)?;
        let host = HeaderValue::from_str(&authority)?;
        let pools = (0..workers).map(|_| Upstream::new(authority.clone(), UPSTREAM_IDLE)).collect();
        Ok(Self { pools, host, limits, max_body })
    }
}

impl Router {
    /// A router as `config` says.
    ///
    /// # Errors
    /// When the configuration names an upstream that cannot be used.
    pub(crate) fn new(config: &Config, common: &Common) -> anyhow::Result<Self> {
        let workers = common.metrics.workers();
        let limits = |head| Limits { head, pause: config.idle_timeout };
        let gateway =
            Behind::new(&config.gateway_url, limits(config.upstream_timeout), config.max_body_bytes, workers)?;
        let git = config.git_url.as_ref();
        let git = git
            .map(|url| Behind::new(url, limits(config.git_timeout), config.max_git_body_bytes, workers))
            .transpose()?;
        let client =
            Gateway::new(config.gateway_url.clone(), config.gateway_user.clone(), config.gateway_password.clone());
        Ok(Self {
            domain: config.domain.clone(),
            scheme: HeaderValue::from_str(&config.public_scheme)?,
            gateway,
            git,
            ownership: Ownership::new(client, config.owner_cache),
            client_timeout: config.client_timeout,
            serving: config.serving.clone(),
            shutdown: common.shutdown.clone(),
        })
    }

    /// Closes a worker's idle connections to the services behind.
    pub(crate) fn sweep(&self, worker: usize) {
        self.gateway.pools[worker].sweep();
        self.git.iter().for_each(|git| git.pools[worker].sweep());
    }

    /// Answers a request whose head is in order.
    pub(crate) async fn answer(&self, request: Request<Incoming>, call: &mut Call<'_>) -> Response<Body> {
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
                Verdict::Yes => {
                    call.record.owner = Some(owner.clone());
                    call.record.function = Some(service.clone());
                    (&self.gateway, path.as_str())
                }
                Verdict::No => return reply::not_found(&shown, request.uri().path()),
                Verdict::Unclear => return reply::unclear(),
            },
        };
        let Some(target) = target(path, request.uri().query()) else {
            return reply::text(StatusCode::BAD_REQUEST, "The address is not well-formed.");
        };
        self.pass_on(behind, target, &host, request, call).await
    }

    async fn pass_on(
        &self,
        behind: &Behind,
        target: Uri,
        host: &HeaderValue,
        request: Request<Incoming>,
        call: &mut Call<'_>,
    ) -> Response<Body> {
        let ticket = match self.admit(call) {
            Ok(ticket) => ticket,
            Err(wait) => return reply::too_many(wait),
        };
        let (mut parts, body) = request.into_parts();
        let body = Inbound::new(body, behind.max_body, self.client_timeout);
        if body.is_surely_too_long() {
            call.lane.shard().limit(Limit::Body);
            return reply::too_long(behind.max_body);
        }
        parts.uri = target;
        let slot = call.record.slot.clone();
        let arrival = Arrival { client: slot.client.ip(), host, scheme: &self.scheme, call_id: &call.record.call_id };
        outside::replace(&mut parts.headers, &arrival, behind.host.clone());
        let request = Request::from_parts(parts, Received::new(body, call.record.received.clone()));
        let held = Held { _slot: slot, _ticket: ticket };
        match forward(&behind.pools[call.lane.index], request, held, behind.limits, &self.shutdown).await {
            Ok(response) => response.map(Body::passed),
            Err(error) => failed(&error, call, behind.max_body),
        }
    }

    /// A place among the requests to the owner's functions, if it goes to one.
    fn admit(&self, call: &mut Call<'_>) -> Result<Option<Ticket>, Duration> {
        let Some(owner) = &call.record.owner else { return Ok(None) };
        let owners = &call.lane.common.owners;
        let state = owners.state(owner.as_str());
        let admitted = owners.admit(&state, &self.serving, call.record.began);
        call.record.owner_state = Some(state);
        admitted.map(Some).map_err(|reason| {
            let (limit, wait) = match reason {
                TooMany::Rate(wait) => (Limit::OwnerRate, wait),
                TooMany::Open => (Limit::OwnerConcurrent, WAIT),
            };
            call.lane.shard().limit(limit);
            wait
        })
    }
}

fn failed(error: &ForwardError, call: &Call<'_>, max_body: u64) -> Response<Body> {
    let call_id = call.record.call_id.to_str().unwrap_or_default();
    tracing::warn!(call_id, cause = chain(error), "a request got no answer from behind");
    match error {
        ForwardError::TooLong | ForwardError::ClientGone => call.lane.shard().limit(Limit::Body),
        _ => call.lane.shard().upstream_error(),
    }
    reply::failed(error, max_body)
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
