//! The Function Builder API.

use std::fs::File;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::archive::{self, Contents};
use crate::config::Config;
use crate::engine::Engine;
use crate::job::{self, Job};
use crate::order::Order;
use crate::refusal::Refusal;
use crate::report::{Load, Report, Status};
use crate::secrets::{BuildSecrets, BuilderKey, Mask};
use crate::signature::{Claimed, Running};
use crate::spool::{self, Spool};

const NDJSON: &str = "application/x-ndjson";
/// Uploads take disk before their signature is known, so their number is bounded too.
const UPLOADS_PER_BUILD: usize = 4;

/// What all requests share.
pub(crate) struct Builder {
    config: Config,
    engine: Engine,
    builds: Arc<Semaphore>,
    uploads: Semaphore,
    stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Builder {
    pub(crate) fn new(config: Config, stopping: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            engine: Engine::new(&config.docker_host, config.build_timeout),
            builds: Arc::new(Semaphore::new(config.max_inflight)),
            uploads: Semaphore::new(config.max_inflight.saturating_mul(UPLOADS_PER_BUILD)),
            stopping,
            tasks: TaskTracker::new(),
            config,
        })
    }
}

pub(crate) fn router(builder: Arc<Builder>) -> Router {
    Router::new()
        .route("/build", post(build))
        .route("/healthz", get(async || "OK"))
        .route("/ready", get(ready))
        .route("/load", get(load))
        .route("/publickey", get(public_key))
        .with_state(builder)
}

async fn ready(State(builder): State<Arc<Builder>>) -> Response {
    match builder.engine.greet().await {
        Ok(_) => "OK".into_response(),
        Err(error) => Refusal::from(error).into_response(),
    }
}

/// How many builds run, and how many may. Numbers only: it asks for no signature, as whoever sends a build learns from a 429
/// as much.
async fn load(State(builder): State<Arc<Builder>>) -> Json<Load> {
    let most = builder.config.max_inflight;
    Json(Load { builds: most.saturating_sub(builder.builds.available_permits()), most })
}

async fn public_key(State(builder): State<Arc<Builder>>) -> Response {
    match &builder.config.key {
        Some(key) => Json(key.answer()).into_response(),
        None => {
            let sentence =
                "this builder opens no sealed build secrets: its operator has given it no builder-private-key\n";
            (StatusCode::NOT_IMPLEMENTED, sentence).into_response()
        }
    }
}

async fn build(State(builder): State<Arc<Builder>>, headers: HeaderMap, body: Body) -> Response {
    let mut body = body.into_data_stream();
    let job = match accept(&builder, &headers, &mut body).await {
        Ok(job) => job,
        Err(refusal) => {
            if refusal.leaves_a_body() {
                spool::discard(&mut body, builder.config.limits.body_bytes).await;
            }
            return refusal.into_response();
        }
    };
    let reports = job::start(job, &builder.tasks);
    if wants_lines(&headers) { lines(reports) } else { whole(reports).await }
}

/// Everything that must hold before a build may start, in the order of what it costs.
async fn accept(builder: &Builder, headers: &HeaderMap, body: &mut BodyDataStream) -> Result<Job, Refusal> {
    let config = &builder.config;
    let busy = || Refusal::Busy(config.max_inflight);
    if builder.stopping.is_cancelled() {
        return Err(Refusal::Stopping);
    }
    let claimed = Claimed::from_headers(headers)?;
    if builder.builds.available_permits() == 0 {
        return Err(busy());
    }
    let taking = builder.uploads.try_acquire().map_err(|_| busy())?;
    let spool = Spool {
        limit: config.limits.body_bytes,
        time: config.receive_timeout,
        directory: config.spool_directory.as_deref(),
    };
    let mut signature = Running::new(&config.payload_secret)?;
    let archive = spool.receive(body, &mut signature).await?;
    let upload = signature.verify(&claimed)?;
    drop(taking);
    let place = Arc::clone(&builder.builds).try_acquire_owned().map_err(|_| busy())?;

    let limits = config.limits;
    let inspection = tokio::task::spawn_blocking(move || (archive::inspect(&archive, &limits), archive));
    let (contents, archive) = inspection.await.map_err(Refusal::Inspection)?;
    let mut contents = contents?;
    let order = Order::parse(&contents.config, config)?;
    let (secrets, mask) = open(&mut contents, config.key.clone()).await?;
    let engine = builder.engine.greet().await?;
    order.check_platforms(&engine.platform)?;
    let (registry, time, stopping) = (config.registry.clone(), config.build_timeout, builder.stopping.clone());
    let (upload, archive) = match config.reuse_images {
        true => {
            known_by(archive, &contents, &secrets, upload).await.map(|(upload, archive)| (Some(upload), archive))?
        }
        false => (None, archive),
    };
    let (dockerfile, secrets) = (contents.dockerfile, Arc::new(secrets));
    Ok(Job { archive, dockerfile, secrets, mask, order, upload, engine, registry, time, stopping, place })
}

/// The archive's secrets, and what hides them.
async fn open(contents: &mut Contents, key: Option<BuilderKey>) -> Result<(BuildSecrets, Arc<Mask>), Refusal> {
    let Some(sealed) = &mut contents.sealed else { return Ok(Default::default()) };
    let text = std::mem::take(&mut sealed.text);
    let open = move || -> Result<_, Refusal> {
        let secrets = BuildSecrets::open(&text, key.as_ref())?;
        let mask = Mask::new(&secrets).map_err(|_| Refusal::Mask)?;
        Ok((secrets, Arc::new(mask)))
    };
    tokio::task::spawn_blocking(open).await.map_err(Refusal::Inspection)?
}

/// What the upload is known by: the digest of all its bytes, or of those that are the same when its secrets are sealed
/// again.
async fn known_by(
    archive: File,
    contents: &Contents,
    secrets: &BuildSecrets,
    digest: String,
) -> Result<(String, File), Refusal> {
    let Some(place) = contents.sealed.as_ref().map(|sealed| sealed.place.clone()) else { return Ok((digest, archive)) };
    let ids: Vec<String> = secrets.ids().map(str::to_owned).collect();
    let reading = tokio::task::spawn_blocking(move || (archive::fingerprint(&archive, &place, &ids), archive));
    let (digest, archive) = reading.await.map_err(Refusal::Inspection)?;
    Ok((digest.map_err(Refusal::Reread)?, archive))
}

fn wants_lines(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().any(|value| value.to_str().is_ok_and(|text| text.contains(NDJSON)))
}

/// Each report is a line as it comes. When the client goes, the stream is dropped and with it the build.
fn lines(reports: mpsc::Receiver<Report>) -> Response {
    let lines = ReceiverStream::new(reports).map(|report| {
        let mut line = serde_json::to_vec(&report)?;
        line.push(b'\n');
        Ok::<_, serde_json::Error>(Bytes::from(line))
    });
    ([(CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response()
}

/// One answer at the end. A failed build must not look like a success to a client that only reads the status.
async fn whole(mut reports: mpsc::Receiver<Report>) -> Response {
    let mut log = Vec::new();
    while let Some(mut report) = reports.recv().await {
        log.append(&mut report.log);
        if report.status != Status::InProgress {
            return answer(Report { log, ..report });
        }
    }
    answer(Report { log, ..Report::unavailable("the build broke off without a result") })
}

fn answer(report: Report) -> Response {
    let status = match (report.status, report.retry) {
        (Status::Success | Status::InProgress, _) => StatusCode::OK,
        (Status::Failed, false) => StatusCode::UNPROCESSABLE_ENTITY,
        (Status::Failed, true) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = (status, Json(report)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}
