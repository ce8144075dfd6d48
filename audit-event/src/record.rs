//! One event, on its way into the trail.

use axum::extract::{FromRef, State};
use chrono::{SecondsFormat, Utc};
use sdk::audit::AuditEvent;
use sdk::failure::{Failure, chain};
use sdk::signing::{Key, Signed};
use serde::Serialize;

use crate::book::Book;
use crate::config::Config;
use crate::slack::Slack;
use crate::trail::Trail;

/// Longer messages are cut, in characters.
const MAX_MESSAGE: usize = 4000;
/// Longer names, numbers and ids are cut, in characters.
const MAX_NAME: usize = 200;

#[derive(Clone)]
pub(crate) struct App {
    key: Key,
    slack: Option<Slack>,
    trail: Option<Trail>,
    book: Option<Book>,
}

impl FromRef<App> for Key {
    fn from_ref(app: &App) -> Self {
        app.key.clone()
    }
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        Self { key: config.key, slack: config.slack.map(Slack::new), trail: config.trail, book: config.book }
    }
}

/// A line of the trail.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    event: &'a AuditEvent,
}

pub(crate) async fn receive(
    State(app): State<App>,
    Signed { message: mut event, .. }: Signed<AuditEvent>,
) -> Result<&'static str, Failure> {
    make_plain(&mut event);
    log(&event);
    // First, since it does not matter how often: an event that comes again is in the file only once it is here.
    if let Some(book) = &app.book {
        book.keep(&event).await?;
    }
    if let Some(trail) = &app.trail {
        write(trail, &event).await?;
    }
    if let Some(slack) = &app.slack
        && let Err(error) = slack.post(&event).await
    {
        tracing::warn!(call_id = event.call_id, error = chain(&error), "The audit event did not reach Slack");
    }
    Ok("recorded\n")
}

/// Some of an event's text is a stranger's. None of it may look like another line, or be without end.
fn make_plain(event: &mut AuditEvent) {
    let plain = |text: &mut String, max: usize| {
        *text = text.chars().map(|c| if is_plain(c) { c } else { ' ' }).take(max).collect();
    };
    plain(&mut event.message, MAX_MESSAGE);
    let AuditEvent { source, owner, owner_id: _, repo, sha, function, actor, call_id, message: _, at: _ } = event;
    for name in [source, owner, repo, sha, function, actor, call_id] {
        plain(name, MAX_NAME);
    }
}

/// No line feeds and other control characters, no line separators, and nothing that turns the order of what is read.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn log(event: &AuditEvent) {
    tracing::info!(
        target: "audit",
        source = event.source,
        owner = event.owner,
        repo = event.repo,
        sha = event.sha,
        actor = event.actor,
        call_id = event.call_id,
        audit = event.message,
        "audit"
    );
}

async fn write(trail: &Trail, event: &AuditEvent) -> Result<(), Failure> {
    let failed = || Failure::internal("the audit event could not be written to the audit file");
    let line = Line { time: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true), event };
    let line = serde_json::to_vec(&line).map_err(|error| failed().because(error))?;
    trail.append(line).await.map_err(|error| failed().because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_stays_one_line_and_has_an_end() {
        let mut event = AuditEvent {
            message: "deleted\r\n[github-event] alice/hello: deployed\u{2028}\u{202e}x".to_owned(),
            actor: "a\u{7}b".repeat(1000),
            ..AuditEvent::default()
        };
        make_plain(&mut event);
        assert_eq!(event.message, "deleted  [github-event] alice/hello: deployed  x");
        assert_eq!(event.actor.len(), MAX_NAME);
        assert!(event.actor.starts_with("a ba b"));
        let mut long = AuditEvent { message: "ä".repeat(10_000), ..AuditEvent::default() };
        make_plain(&mut long);
        assert_eq!(long.message.chars().count(), MAX_MESSAGE);
    }
}
