//! A gateway's list of a thousand functions of one owner, and what it remembers of how they did. Deploying as many takes the
//! engine many minutes, and says nothing about pages. Each answer is written anew, as a gateway writes it.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use sdk::gateway::{FunctionStatus, Resources};
use sdk::labels;
use sdk::metrics::{Figures, Latency, MetricsAnswer, Point, Source};
use serde::Deserialize;

/// So many functions has the owner.
pub(crate) const FUNCTIONS: usize = 1000;
/// The owner's login.
pub(crate) const OWNER: &str = "alice";
/// The owner's number.
pub(crate) const OWNER_ID: u64 = 7;
/// Where the owner is known.
pub(crate) const HOST: &str = "git.localhost";
/// All functions come from so many repositories.
const REPOSITORIES: usize = 40;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is asked of it.
pub(crate) fn catalogue() -> Router {
    Router::new()
        .route("/system/functions", get(list))
        .route("/system/function/{name}", get(describe))
        .route("/system/history", get(history))
}

/// Made when they are asked for first: where nobody does, they need no memory.
static LISTED: LazyLock<Vec<FunctionStatus>> = LazyLock::new(|| (0..FUNCTIONS).map(function).collect());

async fn list() -> Json<Vec<FunctionStatus>> {
    Json(LISTED.to_vec())
}

async fn describe(Path(name): Path<String>) -> Result<Json<FunctionStatus>, StatusCode> {
    let found = LISTED.iter().find(|function| function.name == name);
    found.cloned().map(Json).ok_or(StatusCode::NOT_FOUND)
}

#[derive(Deserialize)]
struct Asked {
    name: String,
    points: usize,
}

async fn history(Query(asked): Query<Asked>) -> Json<MetricsAnswer> {
    let until = now();
    let since = until.saturating_sub(DAY.as_secs());
    let functions = asked.name.split(',').map(|name| (name.to_owned(), figures(since, asked.points))).collect();
    Json(MetricsAnswer { source: Source::Gateway, since, until, functions })
}

fn function(number: usize) -> FunctionStatus {
    let name = format!("{OWNER}-checkout-service-{number:04}");
    let digest = format!("{:064x}", number as u128 * 0x9e37_79b9_7f4a_7c15);
    let repo = format!("shop-{:02}", number % REPOSITORIES);
    let labels = [
        (labels::GIT_CLOUD, "1".to_owned()),
        (labels::GIT_OWNER, OWNER.to_owned()),
        (labels::GIT_OWNER_ID, OWNER_ID.to_string()),
        (labels::GIT_SCM, HOST.to_owned()),
        (labels::GIT_REPO, repo.clone()),
        (labels::GIT_REPO_ID, (100 + number % REPOSITORIES).to_string()),
        (labels::GIT_SHA, digest[24..].to_owned()),
        (labels::GIT_BRANCH, "main".to_owned()),
        (labels::GIT_PRIVATE, "0".to_owned()),
        (labels::GIT_DEPLOY_TIME, (now() - 61 * number as u64).to_string()),
        (labels::BUILD_DIGEST, digest[..63].to_owned()),
        (labels::DEPLOY_DIGEST, digest[1..].to_owned()),
    ];
    let annotations =
        [(labels::GIT_REPO_URL, format!("https://{HOST}/{OWNER}/{repo}")), ("topic", "orders".to_owned())];
    let own = |pairs: &[(&str, String)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    };
    FunctionStatus {
        image: format!("registry.localhost:5000/{OWNER}/{repo}-{name}@sha256:{digest}"),
        name,
        namespace: "openfaas-fn".to_owned(),
        labels: own(&labels),
        annotations: own(&annotations),
        env_vars: own(&[("LOG_LEVEL", "info".to_owned()), ("REGION", "eu-central".to_owned())]),
        secrets: vec![format!("{OWNER}-database"), format!("{OWNER}-payments")],
        limits: Some(Resources { memory: "128Mi".to_owned(), cpu: "500m".to_owned() }),
        invocation_count: 17.0 * number as f64,
        // Every fifth one is asleep.
        replicas: u64::from(!number.is_multiple_of(5)),
        available_replicas: u64::from(!number.is_multiple_of(5)),
        created_at: chrono::DateTime::from_timestamp_secs((now() - 61 * number as u64).cast_signed()),
        ..FunctionStatus::default()
    }
}

fn figures(since: u64, points: usize) -> Figures {
    let step = DAY.as_secs() / points.max(1) as u64;
    let point = |number: usize| {
        let wave = (number as f64 / 4.0).sin() + 1.3;
        Point {
            at: since + step * number as u64,
            success: (wave * 400.0).round(),
            failure: if number.is_multiple_of(9) { 6.0 } else { 0.0 },
            latency: Some(Latency { p50: 0.021 * wave, p95: 0.084 * wave, p99: 0.31 * wave }),
            replicas: Some(1.0),
            memory: Some(4.0e7 * (1.0 + wave / 9.0)),
            cpu: Some(0.06 * wave),
        }
    };
    Figures {
        codes: BTreeMap::from([(200, 12_345.0), (404, 12.0), (500, 31.0)]),
        latency: Some(Latency { p50: 0.021, p95: 0.084, p99: 0.31 }),
        replicas: Some(1.0),
        series: (0..points).map(point).collect(),
    }
}

/// In seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
