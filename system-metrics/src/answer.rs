//! One question and its answer.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::{FromRef, State};
use sdk::failure::{Failure, chain};
use sdk::gateway::Gateway;
use sdk::metrics::{MAX_FUNCTIONS, MAX_POINTS, MetricsAnswer, MetricsRequest};
use sdk::signing::{Key, Signed};

use crate::config::Config;
use crate::history;
use crate::owned::owned;
use crate::prometheus::{Prometheus, Span};

/// In one answer, of all series together.
const MOST_POINTS: usize = 60_000;

#[derive(Clone)]
pub(crate) struct App {
    key: Key,
    gateway: Gateway,
    prometheus: Option<Prometheus>,
}

impl FromRef<App> for Key {
    fn from_ref(app: &App) -> Self {
        app.key.clone()
    }
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        let timeout = config.prometheus_timeout;
        let prometheus = config.prometheus.map(|base| Prometheus::new(base, timeout));
        Self { key: config.key, gateway: config.gateway, prometheus }
    }
}

pub(crate) async fn receive(
    State(app): State<App>,
    Signed { message: request, .. }: Signed<MetricsRequest>,
) -> Result<Json<MetricsAnswer>, Failure> {
    check(&request)?;
    let functions = owned(&app.gateway, &request).await?;
    let points = request.points.min(MOST_POINTS / functions.len().max(1));
    if let Some(prometheus) = &app.prometheus {
        match prometheus.ask(&functions, &Span::new(now(), request.window, points)).await {
            Ok(answer) => return Ok(Json(answer)),
            Err(error) => tracing::warn!(cause = chain(&error), "Prometheus does not say how functions did."),
        }
    }
    history::ask(&app.gateway, &functions, request.window, points, now()).await.map(Json)
}

fn check(request: &MetricsRequest) -> Result<(), Failure> {
    if request.functions.len() > MAX_FUNCTIONS {
        return Err(Failure::refused(format!("at most {MAX_FUNCTIONS} functions can be asked for at once")));
    }
    if request.points > MAX_POINTS {
        return Err(Failure::refused(format!("a series has at most {MAX_POINTS} points")));
    }
    Ok(())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
