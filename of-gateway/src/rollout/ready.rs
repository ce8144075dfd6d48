//! Waiting until a container answers.

use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{sleep, timeout};

use super::probe::ask_status;
use crate::app::App;
use crate::engine::{Engine, Process};
use crate::functions::FunctionId;
use crate::problem::Problem;

const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_millis(200);
const LAST_LINES: usize = 20;

/// A new version that did not become ready.
#[derive(Debug, thiserror::Error)]
#[error("the function {function} {reason}{}", log(.lines))]
pub(crate) struct NotReady {
    pub(crate) function: FunctionId,
    pub(crate) reason: String,
    /// The last it wrote.
    pub(crate) lines: Vec<String>,
}

fn log(lines: &[String]) -> String {
    if lines.is_empty() {
        "; it wrote nothing to its log".to_owned()
    } else {
        format!("; the end of its log:\n{}", lines.join("\n"))
    }
}

/// Resolves with the container's address once it answers, or says why it does not.
pub(super) async fn wait(app: &App, function: &FunctionId, id: &str) -> Result<SocketAddr, Problem> {
    let limit = app.config.rollout_timeout;
    let mut last = "it does not run yet".to_owned();
    let reason = tokio::select! {
        outcome = ready_or_ended(&app.engine, id, &mut last) => match outcome? {
            Ok(address) => return Ok(address),
            Err(process) => ended(&process),
        },
        () = sleep(limit) => format!("was not ready within {limit:?}: {last}"),
    };
    let lines = app.engine.last_lines(id, LAST_LINES).await.unwrap_or_default();
    Err(NotReady { function: function.clone(), reason, lines }.into())
}

/// Its end is noticed at once, but only an inspection is believed: waiting may also be over for other reasons.
async fn ready_or_ended(engine: &Engine, id: &str, last: &mut String) -> Result<Result<SocketAddr, Process>, Problem> {
    loop {
        tokio::select! {
            polled = poll(engine, id, last) => if let Ok(address) = polled? {
                return Ok(Ok(address));
            },
            () = engine.ended(id) => {}
        }
        match engine.process(id).await? {
            Some(process) if !process.stopped => sleep(FIRST_WAIT).await,
            gone => return Ok(Err(gone.unwrap_or_default())),
        }
    }
}

fn ended(process: &Process) -> String {
    let cause = if process.out_of_memory { " (it ran out of memory)" } else { "" };
    format!("ended with exit code {} before it was ready{cause}", process.exit_code)
}

/// Asks again and again. An inner error is a container that does not run.
async fn poll(engine: &Engine, id: &str, last: &mut String) -> Result<Result<SocketAddr, Process>, Problem> {
    let process = engine.process(id).await?.unwrap_or_default();
    let Some(address) = process.address.filter(|_| process.running) else { return Ok(Err(process)) };
    let mut wait = FIRST_WAIT;
    loop {
        match probe(address).await {
            Ok(()) => return Ok(Ok(address)),
            Err(reason) => *last = reason,
        }
        sleep(wait).await;
        wait = (wait * 3 / 2).min(LONGEST_WAIT);
    }
}

/// Whether a function answers. One without OpenFaaS' health paths (a plain Dockerfile) is ready once it speaks HTTP.
pub(super) async fn probe(address: SocketAddr) -> Result<(), String> {
    let ready = ask_status(address, "/_/ready").await?;
    if ready.is_success() {
        return Ok(());
    }
    if not_yet(ready) {
        return Err(format!("/_/ready answers {ready}"));
    }
    let health = ask_status(address, "/_/health").await?;
    if not_yet(health) { Err(format!("/_/health answers {health}")) } else { Ok(()) }
}

fn not_yet(status: StatusCode) -> bool {
    matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
}

/// Like [`wait`] for a container that was live before: as long as it runs and `limit` is not over.
pub(super) async fn wait_again(engine: &Engine, id: &str, limit: Duration) -> Option<SocketAddr> {
    let mut last = String::new();
    match timeout(limit, poll(engine, id, &mut last)).await {
        Ok(Ok(Ok(address))) => Some(address),
        _ => None,
    }
}
