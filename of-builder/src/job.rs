//! One build, from the checked archive to the digest.

use std::fs::File;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as DockerError;
use bollard::models::BuildInfoAux;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

use crate::archive::repack;
use crate::dockerfile::Dockerfile;
use crate::engine::LiveEngine;
use crate::leftovers;
use crate::order::Order;
use crate::registry::Registry;
use crate::report::Report;
use crate::secrets::{BuildSecrets, Mask};
use crate::session::Session;
use crate::transcript::{FailedStep, Transcript};
use crate::verdict;

/// A client hears from a silent build this often, so that a dead connection is noticed on both sides.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long the last report waits for a client that does not read.
const LAST_REPORT_TIME: Duration = Duration::from_secs(5);
const REPORTS_WAITING: usize = 64;

/// Everything that a build needs; dropped with it.
pub(crate) struct Job {
    pub(crate) archive: File,
    /// The text of its Dockerfile.
    pub(crate) dockerfile: Vec<u8>,
    /// What its steps may mount.
    pub(crate) secrets: Arc<BuildSecrets>,
    /// Hides them in all that is told of the build.
    pub(crate) mask: Arc<Mask>,
    pub(crate) order: Order,
    /// The upload's digest, where an image that was made from the same upload may be taken instead of a build.
    pub(crate) upload: Option<String>,
    pub(crate) engine: LiveEngine,
    pub(crate) registry: Option<Registry>,
    pub(crate) time: Duration,
    pub(crate) stopping: CancellationToken,
    /// The place among the builds in flight, given back when the build ends.
    pub(crate) place: OwnedSemaphorePermit,
}

/// Starts the build. The receiver is the client: when it is dropped the build is cancelled.
pub(crate) fn start(job: Job, tasks: &tokio_util::task::TaskTracker) -> mpsc::Receiver<Report> {
    let (reports, received) = mpsc::channel(REPORTS_WAITING);
    tasks.spawn(run(job, reports));
    received
}

async fn run(job: Job, reports: mpsc::Sender<Report>) {
    let (name, image) = (job.order.image.clone(), job.order.image.to_string());
    // Where images are used again they are kept here and nowhere else.
    let kept_here = job.upload.is_some();
    let (time, stopping) = (job.time, job.stopping.clone());
    let place = job.place;
    let source =
        Source { archive: job.archive, dockerfile: job.dockerfile, secrets: job.secrets, mask: Arc::clone(&job.mask) };
    let build = build(source, job.order, job.upload, &job.engine, job.registry, &reports);
    let last = tokio::select! {
        last = tokio::time::timeout(time, build) => last.unwrap_or_else(|_| verdict::too_slow(time)),
        () = reports.closed() => {
            tracing::info!(image, "build cancelled: the client has gone");
            return;
        }
        () = stopping.cancelled() => verdict::stopping(),
    };
    match last.error.as_str() {
        "" => tracing::info!(image, digest = last.digest, "image built"),
        error => tracing::warn!(image, error, retry = last.retry, "build failed"),
    }
    let made = last.error.is_empty();
    // Nobody is left to tell where this fails.
    let _ = tokio::time::timeout(LAST_REPORT_TIME, reports.send(last)).await;
    drop((reports, place));
    if made && kept_here {
        leftovers::remove(&job.engine, &name).await;
    }
}

/// What is built.
struct Source {
    archive: File,
    dockerfile: Vec<u8>,
    secrets: Arc<BuildSecrets>,
    mask: Arc<Mask>,
}

async fn build(
    source: Source,
    order: Order,
    upload: Option<String>,
    engine: &LiveEngine,
    registry: Option<Registry>,
    reports: &mpsc::Sender<Report>,
) -> Report {
    let mut log = Log { reports, transcript: Transcript::new(Arc::clone(&source.mask)) };
    let made_before = engine.made_before(&order, upload.as_deref()).await;
    let reused = made_before.is_some();
    let image_id = match made_before {
        Some(image_id) => {
            log.send(vec!["nothing to build: the image is here already, made from the same files".to_owned()]).await;
            image_id
        }
        None => {
            let session = match engine.session(source.secrets).await {
                Ok(session) => session,
                Err(error) => return verdict::of_session(&error),
            };
            let built = run_steps(source.archive, &order, upload.as_deref(), engine, &session, &mut log).await;
            log.send_rest().await;
            match built {
                Ok(Some(image_id)) => image_id,
                Ok(None) => return verdict::no_result(),
                Err(error) => return explain(&error, log.transcript.failed(), &source.dockerfile, &source.mask),
            }
        }
    };
    let last = match registry {
        Some(registry) if order.push => push(&order, engine, &registry, &log).await,
        _ => Report::success(order.image.repository(), image_id),
    };
    Report { reused, ..last }
}

/// Why the build failed, and in which line.
fn explain(error: &DockerError, step: Option<&FailedStep>, dockerfile: &[u8], mask: &Mask) -> Report {
    let report = verdict::of_build(error, step, mask);
    if report.retry {
        return report;
    }
    let file = Dockerfile::parse(&String::from_utf8_lossy(dockerfile));
    Report { line: file.line_of(step, &error.to_string()), ..report }
}

/// Runs the Dockerfile and returns the image's id, if the engine named one.
async fn run_steps(
    archive: File,
    order: &Order,
    upload: Option<&str>,
    engine: &LiveEngine,
    session: &Session,
    log: &mut Log<'_>,
) -> Result<Option<String>, DockerError> {
    let mut events = pin!(engine.build(order, upload, session, repack::context(archive)));
    let mut image_id = None;
    loop {
        let event = match tokio::time::timeout(KEEP_ALIVE, events.next()).await {
            Err(_) => {
                log.send(Vec::new()).await;
                continue;
            }
            Ok(None) => return Ok(image_id),
            Ok(Some(event)) => event?,
        };
        match event.aux {
            Some(BuildInfoAux::BuildKit(status)) => {
                let lines = log.transcript.absorb(status);
                if !lines.is_empty() {
                    log.send(lines).await;
                }
            }
            Some(BuildInfoAux::Default(image)) => image_id = image.id.or(image_id),
            None => {}
        }
    }
}

async fn push(order: &Order, engine: &LiveEngine, registry: &Registry, log: &Log<'_>) -> Report {
    let image = &order.image;
    let credentials = match registry.credentials(image).await {
        Ok(credentials) => credentials,
        Err(error) => return verdict::of_credentials(&error),
    };
    log.send(vec![format!("pushing {image}")]).await;
    let mut events = pin!(engine.push(image, credentials));
    let mut digest = None;
    loop {
        match tokio::time::timeout(KEEP_ALIVE, events.next()).await {
            Err(_) => log.send(Vec::new()).await,
            Ok(None) => break,
            Ok(Some(Ok(event))) => digest = event.status.as_deref().and_then(pushed_digest).or(digest),
            Ok(Some(Err(error))) => return verdict::of_push(image, &error),
        }
    }
    match digest {
        Some(digest) => Report::success(image.repository(), digest),
        None => verdict::no_digest(image),
    }
}

/// The engine ends a push with `<tag>: digest: sha256:<hex> size: <n>`, the only place where it names the digest of
/// this push and not of an earlier one.
fn pushed_digest(status: &str) -> Option<String> {
    let (_, rest) = status.split_once(": digest: ")?;
    let digest = rest.split_whitespace().next()?;
    let hex = digest.strip_prefix("sha256:")?;
    (hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())).then(|| digest.to_owned())
}

/// Where log lines go.
struct Log<'a> {
    reports: &'a mpsc::Sender<Report>,
    transcript: Transcript,
}

impl Log<'_> {
    async fn send(&self, lines: Vec<String>) {
        // A client that has gone is noticed in `run`.
        let _ = self.reports.send(Report::progress(lines)).await;
    }

    async fn send_rest(&mut self) {
        let lines = self.transcript.finish();
        if !lines.is_empty() {
            self.send(lines).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_push_is_read_from_its_last_status() {
        let hex = "0".repeat(64);
        let status = format!("0.1: digest: sha256:{hex} size: 528");
        assert_eq!(pushed_digest(&status), Some(format!("sha256:{hex}")));
        for other in ["Pushed", "0.1: digest: sha256:00 size: 1", "0.1: digest: "] {
            assert_eq!(pushed_digest(other), None);
        }
    }
}
