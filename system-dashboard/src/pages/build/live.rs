//! A build's log as it grows.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::response::sse::Event;
use http::HeaderMap;
use sdk::pipeline_log::BEGUN_AGAIN;
use serde::Serialize;
use tokio::sync::mpsc::Sender;

use super::{Asked, admit};
use crate::ansi::{self, Look};
use crate::app::App;
use crate::build_log;
use crate::refusal::Refusal;
use crate::stream;
use crate::visitor::Place;

/// A longer line is sent in pieces, in bytes.
const MAX_LINE: usize = 64 * 1024;
/// One event has at most so many lines.
const MAX_LINES: usize = 500;

/// A line: where it begins, and its texts with their classes.
#[derive(Debug, Serialize)]
struct Sent {
    at: u64,
    spans: Vec<(String, String)>,
}

/// What came and is not sent yet.
struct Growing {
    at: u64,
    look: Look,
    rest: Vec<u8>,
}

pub(crate) async fn live(
    State(app): State<App>,
    place: Place,
    Path((_, name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let key = admit(&app, &place, &name, &asked).await?.key;
    let from = stream::last_id(&headers).and_then(|id| id.parse().ok()).or(asked.from).unwrap_or_default();
    let visitor = place.visitor.clone();
    let streams = app.streams.clone();
    streams.open(&place.visitor, move |events| async move {
        let followed = build_log::follow(&app, &visitor, &key, from, visitor.remaining()).await;
        match followed {
            Ok(response) => pass(response, from, &events).await,
            Err(error) => {
                tracing::warn!(call_id = %visitor.call, error = sdk::failure::chain(&error), "A build's log cannot be followed");
                let sentence = "The log cannot be followed at the moment.";
                drop(events.send(Event::default().event("down").data(sentence)).await);
            }
        }
    })
}

async fn pass(mut response: reqwest::Response, from: u64, events: &Sender<Event>) {
    let at = build_log::start_of(&response).unwrap_or(from);
    let mut growing = Growing { at, look: Look::default(), rest: Vec::new() };
    while let Ok(Some(chunk)) = response.chunk().await {
        growing.rest.extend_from_slice(&chunk);
        if growing.send(events, false).await.is_err() {
            return;
        }
    }
    // Whoever left needs no end.
    let _ = growing.send(events, true).await;
}

impl Growing {
    /// Sends the lines that are whole, at the end all. An error is a reader who left.
    async fn send(&mut self, events: &Sender<Event>, is_end: bool) -> Result<(), ()> {
        loop {
            let lines = self.take(is_end);
            if lines.is_empty() {
                return Ok(());
            }
            let again = lines.iter().rposition(is_begun_again);
            let event = Event::default().id(self.at.to_string()).event(if again.is_some() { "again" } else { "lines" });
            let shown = &lines[again.map_or(0, |at| at + 1)..];
            let event = event.json_data(shown).map_err(drop)?;
            events.send(event).await.map_err(drop)?;
        }
    }

    fn take(&mut self, is_end: bool) -> Vec<Sent> {
        let mut lines = Vec::new();
        let mut taken = 0;
        while lines.len() < MAX_LINES && taken < self.rest.len() {
            let rest = &self.rest[taken..];
            let length = match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => end + 1,
                None if is_end || rest.len() >= MAX_LINE => rest.len(),
                None => break,
            };
            let text = rest[..length].strip_suffix(b"\n").unwrap_or(&rest[..length]);
            let spans = ansi::spans(text, &mut self.look).into_iter().map(|span| (span.class, span.text)).collect();
            let line = Sent { at: self.at, spans };
            self.at += length as u64;
            taken += length;
            if is_begun_again(&line) {
                // The log begins here.
                self.at = 0;
            }
            lines.push(line);
        }
        self.rest.drain(..taken);
        lines
    }
}

fn is_begun_again(line: &Sent) -> bool {
    matches!(line.spans.as_slice(), [(_, text)] if text == BEGUN_AGAIN.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sent_whole_with_their_places_and_a_new_try_begins_at_0() {
        let mut growing = Growing { at: 10, look: Look::default(), rest: b"one\ntw".to_vec() };
        let lines = growing.take(false);
        assert_eq!((lines.len(), lines[0].at, growing.at), (1, 10, 14));
        growing.rest.extend_from_slice(BEGUN_AGAIN.as_bytes());
        growing.rest.extend_from_slice(b"new\n");
        let lines = growing.take(false);
        assert_eq!(lines.iter().map(|line| line.at).collect::<Vec<_>>(), [14, 17, 0]);
        assert!(is_begun_again(&lines[1]) && growing.at == 4);
        growing.rest = b"end".to_vec();
        assert!(growing.take(false).is_empty());
        assert_eq!(growing.take(true)[0].at, 4);
    }
}
