//! One request, from its head to the beginning of its answer.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderValue;
use http::{Request, Response, StatusCode};
use tokio_util::sync::CancellationToken;
use upstream::{ClientBody, Inbound, Limits, Upstream, forward};

use crate::access::answers;
use crate::auth::open::unless_over;
use crate::config::{self, Config};
use crate::gate::{Gate, Refused};
use crate::metrics::Limit;
use crate::outside::{self, Arrival};
use crate::passage::{Passage, To};
use crate::reply::{self, Body, Held, Received};
use crate::serving::lane::Lane;
use crate::serving::owners::{Ticket, TooMany};
use crate::serving::record::Record;
use crate::serving::{Common, Serving};

/// Idle connections to the services behind are closed after this; the services keep theirs longer.
const UPSTREAM_IDLE: Duration = Duration::from_secs(30);
/// When to try again where an owner has too many requests open.
const WAIT: Duration = Duration::from_secs(1);

/// How long a page of of-auth's may take: it may have to ask a provider.
const AUTH_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest form or request that of-auth gets, in bytes.
const MAX_AUTH_BODY: u64 = 64 * 1024;

/// One service behind the router.
#[derive(Debug)]
struct Behind {
    /// One for each worker.
    ways: Vec<WayThere>,
    limits: Limits,
    max_body: u64,
}

/// A worker's own connections to a service, and its own copy of the service's host: counting references to one that workers
/// share would cost each request.
#[derive(Debug)]
struct WayThere {
    pool: Arc<Upstream<Received>>,
    host: HeaderValue,
}

/// A worker's way to the functions.
#[derive(Debug)]
pub(crate) struct Functions<'a> {
    pub(crate) pool: &'a Arc<Upstream<Received>>,
    /// The gateway's.
    pub(crate) host: &'a HeaderValue,
    pub(crate) limits: Limits,
    /// The longest body of a request, in bytes.
    pub(crate) max_body: u64,
}

/// Everything that requests share under one configuration.
#[derive(Debug)]
pub(crate) struct Router {
    scheme: HeaderValue,
    gateway: Behind,
    git: Option<Behind>,
    auth: Option<Behind>,
    gate: Gate,
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
        let way = |_| {
            let host = HeaderValue::from_str(&authority)?;
            Ok(WayThere { pool: Upstream::new(authority.clone(), UPSTREAM_IDLE), host })
        };
        let ways = (0..workers).map(way).collect::<anyhow::Result<_>>()?;
        Ok(Self { ways, limits, max_body })
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
        let git = git.map(|url| Behind::new(url, limits(config.git_timeout), config.max_git_body_bytes, workers));
        let auth = config.auth_url.as_ref();
        let auth = auth.map(|url| Behind::new(url, limits(AUTH_TIMEOUT), MAX_AUTH_BODY, workers));
        Ok(Self {
            scheme: HeaderValue::from_static(if config.public_scheme == "https" { "https" } else { "http" }),
            gateway,
            git: git.transpose()?,
            auth: auth.transpose()?,
            gate: Gate::start(config, common)?,
            client_timeout: config.client_timeout,
            serving: config.serving.clone(),
            shutdown: common.shutdown.clone(),
        })
    }

    /// How requests that came without encryption came, as services are told.
    pub(crate) fn scheme(&self) -> &HeaderValue {
        &self.scheme
    }

    /// A worker's way to the functions.
    pub(crate) fn functions(&self, worker: usize) -> Functions<'_> {
        let Behind { ways, limits, max_body } = &self.gateway;
        let WayThere { pool, host } = &ways[worker];
        Functions { pool, host, limits: *limits, max_body: *max_body }
    }

    /// Closes a worker's idle connections to the services behind.
    pub(crate) fn sweep(&self, worker: usize) {
        self.gateway.ways[worker].pool.sweep();
        self.git.iter().chain(&self.auth).for_each(|behind| behind.ways[worker].pool.sweep());
    }

    /// Answers a request whose head is in order.
    pub(crate) async fn answer(&self, request: Box<Request<ClientBody>>, call: &mut Call<'_>) -> Response<Body> {
        if let Some(answer) = call.record.slot.door.sent_away(&request).await {
            return answer;
        }
        let mut passage = match self.passage(&request, call).await {
            Ok(passage) => passage,
            Err(answer) => {
                answer.extensions().get().into_iter().for_each(|decision| call.lane.shard().auth(*decision));
                return *answer;
            }
        };
        passage.decision().into_iter().for_each(|decision| call.lane.shard().auth(decision));
        let behind = match passage.to {
            To::Gateway => Some(&self.gateway),
            To::Git => self.git.as_ref(),
            To::Auth => self.auth.as_ref(),
        };
        // The gate lets nothing through to what is not there.
        let Some(behind) = behind else {
            return reply::text(StatusCode::NOT_FOUND, "There is nothing here.");
        };
        call.record.callee.clone_from(&passage.callee);
        call.record.user = passage.border.login();
        let mut response = self.pass_on(behind, &mut passage, request, call).await;
        passage.border.let_out(response.headers_mut());
        response.body_mut().watch(passage.border.watch);
        response
    }

    /// Where a request may go. Most go where one went just before.
    async fn passage(&self, request: &Request<ClientBody>, call: &Call<'_>) -> Result<Passage, Refused> {
        let named = call.record.slot.door.named();
        if let Some(passage) = call.lane.recall.find(request, named, call.record.began) {
            return Ok(passage);
        }
        // On the heap: its room would be moved about with every request.
        let passage = Box::pin(self.gate.admit(request, named)).await?;
        call.lane.recall.keep(request, &passage);
        Ok(passage)
    }

    async fn pass_on(
        &self,
        behind: &Behind,
        passage: &mut Passage,
        request: Box<Request<ClientBody>>,
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
        parts.uri = std::mem::take(&mut passage.target);
        let ending = passage.border.tunnel(&parts.headers, &self.shutdown);
        let slot = call.record.slot.clone();
        let encrypted = HeaderValue::from_static("https");
        let scheme = if slot.door.is_encrypted() { &encrypted } else { &self.scheme };
        let call_id = call.record.call_id.value();
        let arrival =
            Arrival { address: &slot.address, host: &passage.host, scheme, call_id: &call_id, border: &passage.border };
        let way = &behind.ways[call.lane.index];
        outside::replace(&mut parts.headers, &arrival, way.host.clone());
        let mut request = Some(Request::from_parts(parts, Received::new(body, call.record.received.clone())));
        let held = Held { _slot: slot, _ticket: ticket, _ending: ending.clone() };
        let shutdown = ending.as_ref().map_or(&self.shutdown, |ending| ending.token());
        let forwarded = pin!(forward(&way.pool, &mut request, held, behind.limits, shutdown));
        match unless_over(passage.border.watch.as_ref(), forwarded).await {
            Ok(Ok(response)) => response.map(Body::passed),
            Ok(Err(error)) => call.lane.failed(&error, call.record.call_id.as_str(), behind.max_body),
            Err(watch) if watch.has_ended() => answers::ended(),
            Err(_) => answers::unclear(),
        }
    }

    /// A place among the requests to the owner's functions, if it goes to one.
    fn admit(&self, call: &Call<'_>) -> Result<Option<Ticket>, Duration> {
        let Some(callee) = &call.record.callee else { return Ok(None) };
        let admitted = call.lane.common.owners.admit(callee, &self.serving, call.record.began);
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
