//! One event, on its way into the trail.

use axum::extract::{FromRef, State};
use chrono::{SecondsFormat, Utc};
use sdk::audit::AuditEvent;
use sdk::failure::{Failure, chain};
use sdk::signing::{Key, Signed};
use serde::Serialize;

use crate::config::Config;
use crate::slack::Slack;
use crate::trail::Trail;

/// Longer messages are cut, in characters.
const MAX_MESSAGE: usize = 4000;

#[derive(Clone)]
pub(crate) struct App {
    key: Key,
    slack: Option<Slack>,
    trail: Option<Trail>,
}

impl FromRef<App> for Key {
    fn from_ref(app: &App) -> Self {
        app.key.clone()
    }
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        Self { key: config.key, slack: config.slack.map(Slack::new), trail: config.trail }
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
    if let Some((end, _)) = event.message.char_indices().nth(MAX_MESSAGE) {
        event.message.truncate(end);
    }
    log(&event);
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
