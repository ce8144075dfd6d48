//! A function's log as it grows.
//!
//! An event's id is the time of its last line and how many lines of that very time were sent, so that a browser that asks again
//! misses none and sees none twice.

use std::time::Duration;

use axum::response::Response;
use axum::response::sse::Event;
use http::HeaderMap;
use sdk::call::CallError;
use sdk::function_log::{FOLLOW_LOGS, FunctionLogRequest, Line};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::Sender;

use super::{Asked, request, shown};
use crate::address::Visit;
use crate::app::App;
use crate::build_log::SLACK;
use crate::refusal::Refusal;
use crate::stream::{self, Outcome};
use crate::visitor::Visitor;

/// The longest line that is passed on, in bytes: twice what the gateway has in one.
const MAX_LINE: usize = 2 * 1024 * 1024;

/// How far a browser is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Mark {
    at: u64,
    /// So many lines of that time were sent.
    sent: usize,
}

#[derive(Debug, Serialize)]
struct Sent {
    time: String,
    exact: String,
    instance: String,
    spans: Vec<(String, String)>,
}

pub(crate) async fn live(
    Visit { app, place, name, asked }: Visit<Asked>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let mut request = request(&app, &place, &name, &asked).await?;
    let mark = stream::last_id(&headers).and_then(Mark::parse);
    let mark = mark.unwrap_or_else(|| Mark { at: asked.since.unwrap_or_else(crate::words::now), sent: 0 });
    (request.since, request.until, request.tail) = (Some(mark.at), None, None);
    let visitor = place.visitor.clone();
    let streams = app.streams.clone();
    streams.open(&place.visitor, move |events| async move {
        match follow(&app, &visitor, &request, visitor.remaining()).await {
            Ok(response) => pass(response, mark, &events).await,
            Err(error) => stream::not_followed(&events, &visitor, &error).await,
        }
    })
}

async fn follow(
    app: &App,
    visitor: &Visitor,
    request: &FunctionLogRequest,
    time: Duration,
) -> Result<reqwest::Response, CallError> {
    let encoding = |cause| CallError::Encoding { function: FOLLOW_LOGS.to_owned(), cause };
    let body = serde_json::to_vec(request).map_err(encoding)?;
    let digest = Sha256::digest(&body).into();
    app.functions.send(FOLLOW_LOGS, body, digest, time + SLACK, &visitor.call.child()).await
}

async fn pass(mut response: reqwest::Response, from: Mark, events: &Sender<Event>) -> Outcome {
    let (mut rest, mut mark, mut known) = (Vec::new(), Mark { at: from.at, sent: 0 }, from.sent);
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Outcome::Ended,
            Err(_) => return Outcome::BrokenOff,
        };
        let whole = whole(&mut rest, &chunk);
        let lines = whole.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok());
        let sent: Vec<_> = lines.filter(|line| mark.passes(line.at, &mut known)).map(|line| sent(&line)).collect();
        if sent.is_empty() {
            continue;
        }
        let Ok(event) = Event::default().id(mark.to_string()).event("log").json_data(&sent) else {
            return Outcome::BrokenOff;
        };
        if events.send(event).await.is_err() {
            return Outcome::Ended;
        }
    }
}

/// The lines that are whole with this chunk. One that is too long is dropped: what then comes of it is no JSON.
fn whole(rest: &mut Vec<u8>, chunk: &[u8]) -> Vec<u8> {
    let before = rest.len();
    rest.extend_from_slice(chunk);
    match chunk.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => rest.drain(..=before + end).collect(),
        None => {
            if rest.len() > MAX_LINE {
                rest.clear();
            }
            Vec::new()
        }
    }
}

fn sent(line: &Line) -> Sent {
    let shown = shown(line);
    let spans = shown.spans.into_iter().map(|span| (span.class, span.text)).collect();
    Sent { time: shown.moment.clock, exact: shown.moment.exact, instance: shown.instance, spans }
}

impl Mark {
    fn parse(id: &str) -> Option<Self> {
        let (at, sent) = id.split_once('.')?;
        Some(Self { at: at.parse().ok()?, sent: sent.parse().ok()? })
    }

    /// Counts a line; false for one of those `known` that the browser has already.
    fn passes(&mut self, at: u64, known: &mut usize) -> bool {
        if at != self.at {
            (*self, *known) = (Self { at, sent: 1 }, 0);
            return true;
        }
        self.sent += 1;
        if *known > 0 {
            *known -= 1;
            return false;
        }
        true
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.at, self.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_fills_nothing_and_the_next_one_comes() {
        let (mut rest, chunk) = (Vec::new(), vec![b'x'; 64 * 1024]);
        for _ in 0..1000 {
            assert!(whole(&mut rest, &chunk).is_empty() && rest.len() <= MAX_LINE);
        }
        let lines = whole(&mut rest, b"x\n{\"at\":1}\n{");
        assert!(lines.ends_with(b"x\n{\"at\":1}\n") && rest == b"{");
        assert_eq!(whole(&mut rest, b"}\n"), b"{}\n");
    }

    #[test]
    fn who_asks_again_misses_no_line_and_sees_none_twice() {
        let mark = Mark::parse("1000.2").unwrap();
        assert_eq!(mark.to_string(), "1000.2");
        let (mut mark, mut known) = (Mark { at: mark.at, sent: 0 }, mark.sent);
        let passed = [1000, 1000, 1000, 1001, 1001].map(|at| mark.passes(at, &mut known));
        assert_eq!(passed, [false, false, true, true, true]);
        assert_eq!(mark, Mark { at: 1001, sent: 2 });
        assert!(["", "1", "a.b", "1.-1"].into_iter().all(|bad| Mark::parse(bad).is_none()));
    }
}
