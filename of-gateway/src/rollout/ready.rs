//! Waiting until a container answers.

use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{sleep, timeout};

use super::probe::{Probe, Probes, Unanswered, ask};
use crate::app::App;
use crate::engine::{Engine, Process};
use crate::functions::FunctionId;
use crate::problem::Problem;

const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_millis(200);
/// For one that was live before: nobody waits for the very moment.
const LONGEST_WAIT_AGAIN: Duration = Duration::from_secs(1);
const LAST_LINES: usize = 20;
/// A server that has just come up may close a connection or two. One that goes on doing so speaks something else
/// than HTTP, and is ready as far as anybody can tell.
const NOT_HTTP: u32 = 3;

pub(super) const READY_PATH: &str = "/_/ready";
pub(super) const HEALTH_PATH: &str = "/_/health";

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
pub(super) async fn wait(app: &App, function: &FunctionId, id: &str, probes: &Probes) -> Result<SocketAddr, Problem> {
    let limit = app.config.rollout_timeout + probes.ready.delay;
    let mut last = "it does not run yet".to_owned();
    let reason = tokio::select! {
        outcome = ready_or_ended(&app.engine, id, probes, &mut last) => match outcome? {
            Ok(address) => return Ok(address),
            Err(process) => ended(&process),
        },
        () = sleep(limit) => format!("was not ready within {limit:?}: {last}"),
    };
    let lines = app.engine.last_lines(id, LAST_LINES).await.unwrap_or_default();
    Err(NotReady { function: function.clone(), reason, lines }.into())
}

/// Its end is noticed at once, but only an inspection is believed: waiting may also be over for other reasons.
async fn ready_or_ended(
    engine: &Engine,
    id: &str,
    probes: &Probes,
    last: &mut String,
) -> Result<Result<SocketAddr, Process>, Problem> {
    loop {
        let poll = Poll { engine, id, probes, delay: probes.ready.delay, longest: LONGEST_WAIT };
        tokio::select! {
            polled = poll.run(last) => if let Ok(address) = polled? {
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

struct Poll<'a> {
    engine: &'a Engine,
    id: &'a str,
    probes: &'a Probes,
    delay: Duration,
    longest: Duration,
}

impl Poll<'_> {
    /// Asks again and again. An inner error is a container that does not run.
    async fn run(&self, last: &mut String) -> Result<Result<SocketAddr, Process>, Problem> {
        let process = self.engine.process(self.id).await?.unwrap_or_default();
        let Some(address) = process.address.filter(|_| process.running) else { return Ok(Err(process)) };
        sleep(self.delay).await;
        let (mut wait, mut not_http) = (FIRST_WAIT, 0);
        loop {
            match ask_ready(address, self.probes).await {
                Ok(()) => return Ok(Ok(address)),
                Err(not_yet) => {
                    not_http = if not_yet.not_http { not_http + 1 } else { 0 };
                    *last = not_yet.reason;
                }
            }
            if not_http == NOT_HTTP {
                return Ok(Ok(address));
            }
            sleep(wait).await;
            wait = (wait * 3 / 2).min(self.longest);
        }
    }
}

/// Why a container is not sent requests yet.
#[derive(Debug)]
pub(super) struct NotYet {
    pub(super) reason: String,
    /// It listens and speaks another protocol, and nothing says that it should speak HTTP.
    not_http: bool,
}

/// Whether a container may be sent requests. One without OpenFaaS' health paths (a plain Dockerfile) is ready once it
/// speaks HTTP.
pub(super) async fn ask_ready(address: SocketAddr, probes: &Probes) -> Result<(), NotYet> {
    // Of the two paths that may be annotated, that for the health has to be answered before it is watched.
    if let Some((probe, path)) = annotated(&probes.ready).or_else(|| annotated(&probes.health)) {
        return ask_path(address, probe, path).await;
    }
    let limit = probes.ready.timeout;
    let unanswered = |error: Unanswered| NotYet { not_http: error == Unanswered::NotHttp, reason: error.to_string() };
    let status = ask(address, READY_PATH, limit).await.map_err(unanswered)?;
    if status.is_success() {
        return Ok(());
    }
    not_yet(READY_PATH, status)?;
    not_yet(HEALTH_PATH, ask(address, HEALTH_PATH, limit).await.map_err(unanswered)?)
}

pub(super) fn annotated(probe: &Probe) -> Option<(&Probe, &str)> {
    Some((probe, probe.path.as_deref()?))
}

/// A path that the deployment names has to be answered as Kubernetes expects it.
pub(super) async fn ask_path(address: SocketAddr, probe: &Probe, path: &str) -> Result<(), NotYet> {
    let reason = match ask(address, path, probe.timeout).await {
        Ok(status) if status.is_success() || status.is_redirection() => return Ok(()),
        Ok(status) => format!("{path} answers {status}"),
        Err(error) => format!("{path}: {error}"),
    };
    Err(NotYet { reason, not_http: false })
}

/// Of paths that a function may not know, only these answers mean that it is not ready.
fn not_yet(path: &str, status: StatusCode) -> Result<(), NotYet> {
    match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            Err(NotYet { reason: format!("{path} answers {status}"), not_http: false })
        }
        _ => Ok(()),
    }
}

/// Like [`wait`] for a container that was live before: as long as it runs and `limit` is not over.
pub(super) async fn wait_again(engine: &Engine, id: &str, probes: &Probes, limit: Duration) -> Option<SocketAddr> {
    let mut last = String::new();
    let poll = Poll { engine, id, probes, delay: Duration::ZERO, longest: LONGEST_WAIT_AGAIN };
    match timeout(limit, poll.run(&mut last)).await {
        Ok(Ok(Ok(address))) => Some(address),
        _ => None,
    }
}
