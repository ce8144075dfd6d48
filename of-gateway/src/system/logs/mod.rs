//! `/system/logs`: the lines of a function's containers as NDJSON, followed if asked.

mod lines;

use std::num::IntErrorKind;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_TYPE, HeaderValue};
use sdk::gateway::LogLine;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;

use self::lines::{Line, Lines};
use super::query::Query;
use super::{function_id, not_deployed};
use crate::app::App;
use crate::engine::Tail;
use crate::functions::FunctionId;
use crate::openapi::Flag;
use crate::problem::Problem;

/// Without `since`, what was written in this time is read.
const WINDOW: TimeDelta = TimeDelta::minutes(5);
/// An instance is named by the beginning of its container's id, as the engine's own tools do.
const INSTANCE: usize = 12;
/// Lines read ahead of a slow reader.
const AHEAD: usize = 64;
/// Bytes of lines read ahead of a slow reader.
const AHEAD_BYTES: usize = 256 << 10;
/// What a reader has not taken yet: a line, and its share of the bytes that may be read ahead.
type Ahead = (Bytes, OwnedSemaphorePermit);

struct Wanted {
    function: FunctionId,
    instance: Option<String>,
    since: DateTime<Utc>,
    tail: Option<u32>,
    follow: bool,
}

/// Read a function's log.
///
/// One JSON object per line. Lines of several replicas come as they are read. A line of more than 128 KiB comes in
/// pieces, and bytes that are no UTF-8 are replaced.
#[utoipa::path(
    get,
    path = "/logs",
    operation_id = "GetFunctionLogs",
    tag = "system",
    params(
        ("name" = String, Query, min_length = 1, description = "The function's name, or `name.namespace`."),
        ("namespace" = Option<String>, Query, description = "The namespace; the default where left out."),
        ("instance" = Option<String>, Query, description = "Only this replica: the beginning of its container's id."),
        ("tail" = Option<i64>, Query, description = "At most this many old lines per replica; 0 and less: all."),
        ("follow" = inline(Option<Flag>), Query, description = "Whether to go on with new lines until the time limit."),
        ("since" = Option<DateTime<Utc>>, Query, description = "From this time on; 5 minutes ago where left out."),
    ),
    responses(
        (status = 200, description = "The lines.", body = LogLine, content_type = "application/x-ndjson"),
        (status = 400, description = "The request names two namespaces."),
        (status = 404, description = "The function is not deployed, or the namespace does not exist."),
        (status = 422, description = "A parameter is missing or not understood."),
        (status = 429, description = "Too many logs are being read."),
        (status = 501, description = "The function runs within the platform and has no log of its own."),
        (status = 503, description = "The container engine does not answer."),
    )
)]
pub(crate) async fn read(State(app): State<Arc<App>>, query: Query) -> Result<Response, Problem> {
    let wanted = wanted(&app, &query)?;
    let function = app.functions.get(&wanted.function).ok_or_else(|| not_deployed(&wanted.function))?;
    let Some(containers) = function.containers() else {
        let sentence = format!("the function {} runs within the platform; its log is the platform's", wanted.function);
        return Err(Problem::Unsupported(sentence));
    };
    let permit = Arc::clone(&app.log_streams)
        .try_acquire_owned()
        .map_err(|_| Problem::TooMany("too many logs are being read; try again later".to_owned()))?;
    let of_instance = |id: &str| wanted.instance.as_deref().is_none_or(|instance| id.starts_with(instance));
    let mut ids = Vec::new();
    for replica in containers.everyone().filter(|replica| of_instance(&replica.id)) {
        // Asked before the answer begins, while there still is a status code to tell a failure with.
        if app.engine.process(&replica.id).await?.is_some() {
            ids.push(replica.id.clone());
        }
    }
    let lines = stream(Arc::clone(&app), wanted, ids, permit);
    let kind = HeaderValue::from_static("application/x-ndjson");
    Ok(([(CONTENT_TYPE, kind)], Body::from_stream(lines)).into_response())
}

fn wanted(app: &App, query: &Query) -> Result<Wanted, Problem> {
    let unprocessable = |sentence: String| Problem::Unprocessable(sentence);
    let name = query.get("name").ok_or_else(|| unprocessable("name is missing".to_owned()))?;
    let tail = match query.value("tail").map(str::parse::<i64>) {
        // More than there can be is all there is.
        Some(Ok(lines)) => u32::try_from(lines).ok().filter(|lines| *lines > 0),
        None => None,
        Some(Err(error)) if matches!(error.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow) => None,
        Some(Err(_)) => return Err(unprocessable("tail is not a number".to_owned())),
    };
    let since = match query.value("since").map(DateTime::parse_from_rfc3339) {
        None => Utc::now() - WINDOW,
        Some(Ok(since)) => since.to_utc(),
        Some(Err(_)) => return Err(unprocessable("since is not a time in RFC 3339".to_owned())),
    };
    Ok(Wanted {
        function: function_id(app, name, &[query.get("namespace")])?,
        instance: query.get("instance").map(|instance| instance.chars().take(INSTANCE).collect()),
        since,
        tail,
        follow: query.flag("follow")?,
    })
}

/// One task per container writes lines into a bounded channel; all end when the reader leaves.
fn stream(
    app: Arc<App>,
    wanted: Wanted,
    ids: Vec<String>,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
    let (sender, receiver) = mpsc::channel::<Ahead>(AHEAD);
    let room = Arc::new(Semaphore::new(AHEAD_BYTES));
    let wanted = Arc::new(wanted);
    let readers = TaskTracker::new();
    for id in ids {
        let (app, wanted, sender) = (Arc::clone(&app), Arc::clone(&wanted), sender.clone());
        let room = Arc::clone(&room);
        readers.spawn(async move {
            tokio::select! {
                () = app.closing.cancelled() => {}
                () = tokio::time::sleep(app.config.log_timeout) => {}
                () = sender.closed() => {}
                () = copy(&app, &wanted, &id, &sender, &room) => {}
            }
        });
    }
    readers.close();
    tokio::spawn(async move {
        readers.wait().await;
        drop(permit);
    });
    ReceiverStream::new(receiver).map(|(line, _room)| Ok(line))
}

async fn copy(app: &App, wanted: &Wanted, id: &str, sender: &mpsc::Sender<Ahead>, room: &Arc<Semaphore>) {
    let since = i32::try_from(wanted.since.timestamp().max(0)).unwrap_or(i32::MAX);
    let tail = Tail { follow: wanted.follow, lines: wanted.tail, since, timestamps: true };
    let Ok(output) = app.engine.logs(id, &tail) else { return };
    tokio::pin!(output);
    let mut lines = Lines::default();
    while let Some(piece) = output.next().await {
        match piece {
            Ok(piece) => {
                if send(wanted, id, lines.push(piece), sender, room).await.is_none() {
                    return;
                }
            }
            Err(error) => return tracing::warn!(function = %wanted.function, %error, "A log broke off."),
        }
    }
    send(wanted, id, lines.rest(), sender, room).await;
}

/// `None` when nobody reads any more.
async fn send(
    wanted: &Wanted,
    id: &str,
    lines: impl IntoIterator<Item = Line>,
    sender: &mpsc::Sender<Ahead>,
    room: &Arc<Semaphore>,
) -> Option<()> {
    for line in lines.into_iter().filter(|line| line.time >= wanted.since) {
        let json = json(wanted, id, line)?;
        let share = u32::try_from(json.len().min(AHEAD_BYTES)).ok()?;
        let share = Arc::clone(room).acquire_many_owned(share).await.ok()?;
        sender.send((json, share)).await.ok()?;
    }
    Some(())
}

fn json(wanted: &Wanted, id: &str, line: Line) -> Option<Bytes> {
    let line = LogLine {
        name: wanted.function.name.clone(),
        namespace: wanted.function.namespace.clone(),
        instance: id.chars().take(INSTANCE).collect(),
        timestamp: line.time,
        text: line.text,
    };
    let mut json = serde_json::to_vec(&line).ok()?;
    json.push(b'\n');
    Some(json.into())
}
