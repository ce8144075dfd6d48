//! `/system/logs`: the lines of a function's containers as NDJSON, followed if asked.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_TYPE, HeaderValue};
use sdk::gateway::LogLine;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;

use super::{Query, function_id};
use crate::app::App;
use crate::engine::Tail;
use crate::functions::FunctionId;
use crate::problem::Problem;

/// Without `since`, what was written in this time is read.
const WINDOW: TimeDelta = TimeDelta::minutes(5);
/// An instance is named by the beginning of its container's id, as the engine's own tools do.
const INSTANCE: usize = 12;
/// Lines read ahead of a slow reader.
const AHEAD: usize = 64;

struct Wanted {
    function: FunctionId,
    instance: Option<String>,
    since: DateTime<Utc>,
    tail: Option<u32>,
    follow: bool,
}

pub(crate) async fn read(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let wanted = wanted(&app, &Query::of(query.as_deref()))?;
    let missing = || Problem::Missing(format!("the function {} is not deployed", wanted.function));
    let function = app.functions.get(&wanted.function).ok_or_else(missing)?;
    let Some(containers) = function.containers() else {
        let sentence = format!("the function {} runs within the platform; its log is the platform's", wanted.function);
        return Err(Problem::Unsupported(sentence));
    };
    let permit = Arc::clone(&app.log_streams)
        .try_acquire_owned()
        .map_err(|_| Problem::TooMany("too many logs are being read; try again later".to_owned()))?;
    let of_instance = |id: &str| wanted.instance.as_deref().is_none_or(|instance| id.starts_with(instance));
    let ids: Vec<String> =
        containers.everyone().map(|replica| replica.id.clone()).filter(|id| of_instance(id)).collect();
    let lines = stream(Arc::clone(&app), wanted, ids, permit);
    let kind = HeaderValue::from_static("application/x-ndjson");
    Ok(([(CONTENT_TYPE, kind)], Body::from_stream(lines)).into_response())
}

fn wanted(app: &App, query: &Query) -> Result<Wanted, Problem> {
    let unprocessable = |sentence: String| Problem::Unprocessable(sentence);
    let name = query.get("name").ok_or_else(|| unprocessable("name is missing".to_owned()))?;
    let tail = match query.get("tail").map(str::parse::<i64>) {
        None => None,
        Some(Ok(lines)) => u32::try_from(lines).ok().filter(|lines| *lines > 0),
        Some(Err(_)) => return Err(unprocessable("tail is not a number".to_owned())),
    };
    let since = match query.get("since").map(DateTime::parse_from_rfc3339) {
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
    let (sender, receiver) = mpsc::channel(AHEAD);
    let wanted = Arc::new(wanted);
    let readers = TaskTracker::new();
    for id in ids {
        let (app, wanted, sender) = (Arc::clone(&app), Arc::clone(&wanted), sender.clone());
        readers.spawn(async move {
            tokio::select! {
                () = app.closing.cancelled() => {}
                () = tokio::time::sleep(app.config.log_timeout) => {}
                () = sender.closed() => {}
                () = copy(&app, &wanted, &id, &sender) => {}
            }
        });
    }
    readers.close();
    tokio::spawn(async move {
        readers.wait().await;
        drop(permit);
    });
    ReceiverStream::new(receiver).map(Ok)
}

async fn copy(app: &App, wanted: &Wanted, id: &str, sender: &mpsc::Sender<Bytes>) {
    let since = i32::try_from(wanted.since.timestamp()).unwrap_or(i32::MAX);
    let tail = Tail { follow: wanted.follow, lines: wanted.tail, since, timestamps: true };
    let Ok(output) = app.engine.logs(id, &tail) else { return };
    tokio::pin!(output);
    while let Some(chunk) = output.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk.into_bytes(),
            Err(error) => return tracing::warn!(function = %wanted.function, %error, "A log broke off."),
        };
        for line in String::from_utf8_lossy(&chunk).lines() {
            let Some(line) = log_line(wanted, id, line) else { continue };
            if sender.send(line).await.is_err() {
                return;
            }
        }
    }
}

/// The engine puts the time before each line.
fn log_line(wanted: &Wanted, id: &str, line: &str) -> Option<Bytes> {
    let (time, text) = line.split_once(' ').unwrap_or((line, ""));
    let timestamp = DateTime::parse_from_rfc3339(time).ok()?.to_utc();
    if timestamp < wanted.since {
        return None;
    }
    let line = LogLine {
        name: wanted.function.name.clone(),
        namespace: wanted.function.namespace.clone(),
        instance: id.chars().take(INSTANCE).collect(),
        timestamp,
        text: text.to_owned(),
    };
    let mut json = serde_json::to_vec(&line).ok()?;
    json.push(b'\n');
    Some(json.into())
}
