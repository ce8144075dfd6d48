//! A build's log as it grows.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::response::Response;
use axum::response::sse::Event;
use http::{HeaderMap, StatusCode};
use sdk::call::CallError;
use sdk::pipeline_log::{BEGUN_AGAIN, LogKey};
use serde::Serialize;
use tokio::sync::mpsc::Sender;

use super::steps::Steps;
use super::{Asked, admit, is_awaited};
use crate::address::Visit;
use crate::ansi::{self, Look};
use crate::app::App;
use crate::build_log;
use crate::refusal::Refusal;
use crate::stream::{self, Outcome};
use crate::visitor::Place;

/// A longer line is sent in pieces, in bytes.
const MAX_LINE: usize = 64 * 1024;
/// How soon it is asked again for a log that has not begun.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
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
    /// Of what came so far, and of what the reader's page shows before.
    steps: Steps,
    look: Look,
    rest: Vec<u8>,
}

pub(crate) async fn live(
    Visit { app, place, name, asked }: Visit<Asked>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let key = admit(&app, &place, &name, &asked).await?.key;
    let from = stream::last_id(&headers).and_then(|id| id.parse().ok()).or(asked.from).unwrap_or_default();
    let visitor = place.visitor.clone();
    let streams = app.streams.clone();
    streams.open(&visitor.clone(), move |events| async move {
        match begun(&app, &place, &key, from).await {
            Ok(None) => Outcome::Ended,
            Ok(Some(response)) => {
                let at = build_log::start_of(&response).unwrap_or(from);
                // Without what was before, steps that began there stay as they are shown until the page is loaded again.
                let before = build_log::before(&app, &visitor, &key, at).await.unwrap_or_default();
                pass(response, at, Steps::of(&before, at), &events).await
            }
            Err(error) => stream::not_followed(&events, &visitor, &error).await,
        }
    })
}

/// The log from a byte on, as soon as there is one: a page may be opened while its build waits for its turn. `None` for a build that
/// is over and left none.
async fn begun(app: &App, place: &Place, key: &LogKey, from: u64) -> Result<Option<reqwest::Response>, CallError> {
    loop {
        let visitor = &place.visitor;
        match build_log::follow(app, visitor, key, from, visitor.remaining()).await {
            Err(CallError::Refused { status: StatusCode::NOT_FOUND, .. }) => {}
            followed => return followed.map(Some),
        }
        if !is_awaited(app, place, key).await {
            return Ok(None);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn pass(mut response: reqwest::Response, at: u64, steps: Steps, events: &Sender<Event>) -> Outcome {
    let mut growing = Growing { at, steps, look: Look::default(), rest: Vec::new() };
    // Who was away for a moment may not know how they stand.
    if growing.tell(events, 0..usize::MAX).await.is_err() {
        return Outcome::Ended;
    }
    loop {
        let chunk = match response.chunk().await {
            Ok(chunk) => chunk,
            Err(_) => return Outcome::BrokenOff,
        };
        growing.rest.extend_from_slice(chunk.as_deref().unwrap_or_default());
        if growing.send(events, chunk.is_none()).await.is_err() || chunk.is_none() {
            return Outcome::Ended;
        }
    }
}

impl Growing {
    /// Sends the lines that are whole, at the end all. An error is a reader who left.
    async fn send(&mut self, events: &Sender<Event>, is_end: bool) -> Result<(), ()> {
        loop {
            let (lines, changed) = self.take(is_end);
            if lines.is_empty() {
                return Ok(());
            }
            let again = lines.iter().rposition(is_begun_again);
            let event = Event::default().id(self.at.to_string()).event(if again.is_some() { "again" } else { "lines" });
            let shown = &lines[again.map_or(0, |at| at + 1)..];
            let event = event.json_data(shown).map_err(drop)?;
            events.send(event).await.map_err(drop)?;
            self.tell(events, changed).await?;
        }
    }

    /// Sends how these steps stand.
    async fn tell(&self, events: &Sender<Event>, which: impl IntoIterator<Item = usize>) -> Result<(), ()> {
        let steps: Vec<_> = which.into_iter().map_while(|index| self.steps.one(index, true)).collect();
        if steps.is_empty() {
            return Ok(());
        }
        events.send(Event::default().event("steps").json_data(steps).map_err(drop)?).await.map_err(drop)
    }

    /// The next lines, and the steps that they change.
    fn take(&mut self, is_end: bool) -> (Vec<Sent>, BTreeSet<usize>) {
        let (mut lines, mut changed) = (Vec::new(), BTreeSet::new());
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
            changed.extend(self.steps.take(self.at, text));
            self.at += length as u64;
            taken += length;
            if is_begun_again(&line) {
                // The log begins here.
                self.at = 0;
                self.steps = Steps::default();
                changed.clear();
            }
            lines.push(line);
        }
        self.rest.drain(..taken);
        (lines, changed)
    }
}

fn is_begun_again(line: &Sent) -> bool {
    matches!(line.spans.as_slice(), [(_, text)] if text == BEGUN_AGAIN.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growing(at: u64, text: &[u8]) -> Growing {
        Growing { at, steps: Steps::default(), look: Look::default(), rest: text.to_vec() }
    }

    #[test]
    fn lines_are_sent_whole_with_their_places_and_a_new_try_begins_at_0() {
        let mut growing = growing(10, b"one\ntw");
        let (lines, _) = growing.take(false);
        assert_eq!((lines.len(), lines[0].at, growing.at), (1, 10, 14));
        growing.rest.extend_from_slice(BEGUN_AGAIN.as_bytes());
        growing.rest.extend_from_slice(b"new\n");
        let (lines, _) = growing.take(false);
        assert_eq!(lines.iter().map(|line| line.at).collect::<Vec<_>>(), [14, 17, 0]);
        assert!(is_begun_again(&lines[1]) && growing.at == 4);
        growing.rest = b"end".to_vec();
        assert!(growing.take(false).0.is_empty());
        assert_eq!(growing.take(true).0[0].at, 4);
    }

    #[test]
    fn steps_change_with_their_lines_and_a_new_try_has_its_own() {
        let mut growing = growing(0, b"[1/2] RUN a\n  said\n[2/2] RUN b\n");
        let changed = |growing: &mut Growing, text: &[u8]| {
            growing.rest.extend_from_slice(text);
            growing.take(false).1.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(changed(&mut growing, b""), [0, 1]);
        assert_eq!(changed(&mut growing, b"  more\n"), [0; 0]);
        assert_eq!(changed(&mut growing, b"[1/2] RUN a (continued)\n  (1.0 s)\n"), [0]);
        assert_eq!(growing.steps.one(0, true).map(|step| (step.word, step.took)), Some(("Done", "1.0 s".to_owned())));
        let again = [b"[x] RUN lost\n", BEGUN_AGAIN.as_bytes(), b"[1/1] RUN new\n"].concat();
        assert_eq!(changed(&mut growing, &again), [0]);
        assert_eq!(growing.steps.one(0, true).map(|step| (step.at, step.name)), Some((0, "[1/1] RUN new".to_owned())));
    }
}
