//! What git-tar finds behind its gateway: a builder that takes its time and keeps count, statuses that are kept, and the
//! functions that are deployed. Nothing of it is durable; the queue, which is, is the real gateway's.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use sdk::deploy::{DeployOrder, ORDER_ENTRY, Shipped};
use sdk::gateway::FunctionStatus;
use sdk::labels;
use sdk::status::{STACK_CONTEXT, Status};
use tokio::sync::Notify;

/// A build takes so long; pushes come in between.
const BUILD_TIME: Duration = Duration::from_millis(50);

/// What happened so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Repositories and commits whose stack has a final status.
    pub(super) ended: BTreeSet<(usize, String)>,
    /// Which commit of each repository is deployed.
    pub(super) deployed: BTreeMap<usize, String>,
    pub(super) builds: usize,
    /// Builds that went on for one repository at the same time, at most.
    pub(super) most_at_once: usize,
    building: HashMap<usize, usize>,
    functions: BTreeMap<usize, FunctionStatus>,
}

/// The gateway. Cloning shares it.
#[derive(Clone, Default)]
pub(super) struct Stub(Arc<Inner>);

#[derive(Default)]
struct Inner {
    seen: Mutex<Seen>,
    end: Notify,
}

impl Stub {
    pub(super) fn routes(&self) -> Router {
        Router::new()
            .route("/system/functions", get(list))
            .route("/function/buildshiprun", post(build))
            .route("/function/github-status", post(status))
            .route("/function/garbage-collect", post(|| async { StatusCode::OK }))
            .route("/async-function/audit-event", post(|| async { StatusCode::ACCEPTED }))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(self.clone())
    }

    /// The function `github-status`, for who reports through the real gateway.
    pub(super) fn statuses(&self) -> Router {
        Router::new().route("/", post(status)).with_state(self.clone())
    }

    pub(super) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    pub(super) fn ended(&self) -> usize {
        self.lock().ended.len()
    }

    /// Waits until one more push has ended, and no longer than `limit`.
    pub(super) async fn next_end(&self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.0.end.notified()).await;
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, repository: usize) {
        let mut seen = self.lock();
        seen.builds += 1;
        let now = seen.building.entry(repository).or_default();
        *now += 1;
        let now = *now;
        seen.most_at_once = seen.most_at_once.max(now);
    }

    fn end(&self, repository: usize, order: &DeployOrder) {
        let mut seen = self.lock();
        *seen.building.entry(repository).or_default() -= 1;
        seen.deployed.insert(repository, order.event.sha.to_string());
        seen.functions.insert(repository, deployed(order));
    }
}

async fn list(State(stub): State<Stub>) -> Json<Vec<FunctionStatus>> {
    Json(stub.lock().functions.values().cloned().collect())
}

async fn status(State(stub): State<Stub>, body: Bytes) -> StatusCode {
    let Ok(status) = serde_json::from_slice::<Status>(&body) else { return StatusCode::BAD_REQUEST };
    if status.context == STACK_CONTEXT && status.state.is_final() {
        stub.lock().ended.insert((number(status.owner.as_str()), status.sha.to_string()));
        stub.0.end.notify_one();
    }
    StatusCode::OK
}

async fn build(State(stub): State<Stub>, body: Bytes) -> Response {
    let order = match read(&body) {
        Ok(order) => order,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error:#}")).into_response(),
    };
    let repository = number(order.event.owner.as_str());
    stub.begin(repository);
    tokio::time::sleep(BUILD_TIME).await;
    stub.end(repository, &order);
    Json(Shipped { image: "registry/fn".to_owned(), built: true, seconds: BUILD_TIME.as_secs_f64() }).into_response()
}

fn read(body: &[u8]) -> Result<DeployOrder> {
    let mut archive = tar::Archive::new(body);
    let first = archive.entries()?.next().context("an order has no entries")??;
    anyhow::ensure!(first.path()?.to_str() == Some(ORDER_ENTRY), "an order does not begin with itself");
    Ok(serde_json::from_reader(first)?)
}

fn number(owner: &str) -> usize {
    owner.strip_prefix("owner-").and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
}

fn deployed(order: &DeployOrder) -> FunctionStatus {
    let event = &order.event;
    let labels = [
        (labels::GIT_CLOUD, "1".to_owned()),
        (labels::GIT_OWNER, event.owner.to_string()),
        (labels::GIT_OWNER_ID, event.owner_id.to_string()),
        (labels::GIT_SCM, labels::value(&event.host).into_owned()),
        (labels::GIT_REPO, labels::value(event.repo.as_str()).into_owned()),
        (labels::GIT_REPO_ID, event.repo_id.to_string()),
        (labels::GIT_SHA, event.sha.to_string()),
        (labels::BUILD_DIGEST, order.build_digest.clone()),
        (labels::DEPLOY_DIGEST, order.deploy_digest.clone()),
    ];
    FunctionStatus {
        name: format!("{}-{}", event.owner, order.function),
        image: "registry/fn".to_owned(),
        labels: labels.into_iter().map(|(label, value)| (label.to_owned(), value)).collect(),
        replicas: 1,
        available_replicas: 1,
        ..FunctionStatus::default()
    }
}
