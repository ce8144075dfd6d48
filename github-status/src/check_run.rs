//! A status in the form of GitHub's check runs.

use chrono::{DateTime, SecondsFormat, Utc};
use sdk::call::CallId;
use sdk::status::{Annotation, State, Status};
use serde::{Deserialize, Serialize};

use crate::markdown::{fenced, link, table};

/// GitHub takes no longer summary and no longer text, in characters.
const MAX_TEXT: usize = 65_535;
/// The longest title of a run, and of an annotation, in characters.
const MAX_TITLE: usize = 255;
/// GitHub takes so many annotations at a time, and adds them to those that are there.
const MAX_ANNOTATIONS: usize = 50;
/// The longest message of an annotation, in bytes.
const MAX_MESSAGE: usize = 64 * 1024;
/// The longest path of an annotation, in bytes.
const MAX_PATH: usize = 4096;

/// A check run as GitHub tells of it: what is needed to go on with it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Run {
    pub(crate) id: u64,
    #[serde(default)]
    pub(crate) name: String,
    /// The call that made it.
    #[serde(default)]
    pub(crate) external_id: Option<String>,
    #[serde(default)]
    status: String,
    #[serde(default)]
    output: RunOutput,
    #[serde(default)]
    completed_at: Option<DateTime<Utc>>,
    /// When what it shows was said; 0 where that is not known.
    #[serde(skip)]
    said_at: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct RunOutput {
    #[serde(default)]
    annotations_count: u64,
}

impl Run {
    /// The run, showing what was said at a time.
    pub(crate) fn said_at(self, said_at: u64) -> Self {
        Self { said_at, ..self }
    }

    /// What a status of the same push means for the run.
    pub(crate) fn next(&self, status: &Status) -> Next {
        let newest = self.newest();
        if status.at != 0 && status.at < newest {
            return Next::Nothing;
        }
        match (self.status.as_str(), status.state) {
            ("completed", State::Success | State::Failure) => Next::Change,
            // The queue tries the push again, after an end that was said before.
            ("completed", State::InProgress) if newest != 0 && status.at > newest => Next::Anew,
            // Nobody may follow a `queued`, and then it would hide how the commit ended.
            ("completed", _) | ("in_progress", State::Queued) => Next::Nothing,
            _ => Next::Change,
        }
    }

    /// When the newest thing that it shows was said, in microseconds; 0 where that is not known.
    fn newest(&self) -> u64 {
        let ended = self.completed_at.map_or(0, |end| u64::try_from(end.timestamp_micros()).unwrap_or_default());
        if self.said_at == 0 { ended } else { self.said_at }
    }
}

/// What becomes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The status comes too late.
    Nothing,
    /// It is changed.
    Change,
    /// It stays as it is, and there is a new one.
    Anew,
}

/// Body of `POST` and `PATCH …/check-runs`.
#[derive(Debug, Serialize)]
pub(crate) struct CheckRun<'a> {
    name: &'a str,
    /// Only when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    head_sha: Option<&'a str>,
    /// Only when it is made: the push that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conclusion: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details_url: Option<&'a str>,
    output: Output<'a>,
}

#[derive(Debug, Serialize)]
struct Output<'a> {
    title: String,
    summary: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<Line<'a>>,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    path: &'a str,
    start_line: u32,
    end_line: u32,
    annotation_level: &'static str,
    message: &'a str,
    title: String,
}

impl<'a> CheckRun<'a> {
    /// A new run of the status's commit.
    pub(crate) fn new(status: &'a Status, url: Option<&'a str>, call: &CallId, now: DateTime<Utc>) -> Self {
        let started = status.state != State::Queued;
        Self {
            head_sha: Some(status.sha.as_str()),
            external_id: Some(call.to_string()),
            started_at: started.then(|| time(now)),
            // Nothing was begun and nothing will be: another branch, for example.
            conclusion: conclusion(status.state, "skipped"),
            ..Self::of(status, url, now, true)
        }
    }

    /// The change of a run that is there.
    pub(crate) fn change(run: &Run, status: &'a Status, url: Option<&'a str>, now: DateTime<Utc>) -> Self {
        let starts = run.status == "queued" && status.state != State::Queued;
        let started_at = starts.then(|| time(now));
        Self { started_at, ..Self::of(status, url, now, run.output.annotations_count == 0) }
    }

    fn of(status: &'a Status, url: Option<&'a str>, now: DateTime<Utc>, annotate: bool) -> Self {
        Self {
            name: &status.context,
            head_sha: None,
            external_id: None,
            status: match status.state {
                State::Queued => "queued",
                State::InProgress => "in_progress",
                State::Success | State::Failure | State::Neutral => "completed",
            },
            started_at: None,
            conclusion: conclusion(status.state, "neutral"),
            completed_at: status.state.is_final().then(|| time(now)),
            details_url: url,
            output: Output {
                title: cut(&status.title, MAX_TITLE),
                summary: summary(status, url),
                text: fenced(&status.log, MAX_TEXT),
                annotations: if annotate { lines(status) } else { Vec::new() },
            },
        }
    }
}

fn conclusion(state: State, nothing_done: &'static str) -> Option<&'static str> {
    match state {
        State::Queued | State::InProgress => None,
        State::Success => Some("success"),
        State::Failure => Some("failure"),
        State::Neutral => Some(nothing_done),
    }
}

fn summary(status: &Status, url: Option<&str>) -> String {
    let sentence = link(&cut(&status.title, MAX_TEXT / 4), url);
    let room = MAX_TEXT.saturating_sub(sentence.chars().count() + 2);
    let table = table(&status.functions, room);
    if table.is_empty() { sentence } else { format!("{sentence}\n\n{table}") }
}

fn lines(status: &Status) -> Vec<Line<'_>> {
    let usable = status.annotations.iter().filter(|annotation| {
        let path = &annotation.path;
        !path.is_empty() && path.len() <= MAX_PATH && !path.starts_with('/') && !annotation.message.trim().is_empty()
    });
    usable.take(MAX_ANNOTATIONS).map(|annotation| Line::of(annotation, status)).collect()
}

impl<'a> Line<'a> {
    fn of(annotation: &'a Annotation, status: &Status) -> Self {
        let message = &annotation.message;
        Self {
            path: &annotation.path,
            start_line: annotation.line.max(1),
            end_line: annotation.line.max(1),
            annotation_level: if status.state == State::Failure { "failure" } else { "warning" },
            message: &message[..message.floor_char_boundary(MAX_MESSAGE)],
            title: cut(&status.title, MAX_TITLE),
        }
    }
}

/// At most `limit` characters of a text.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

fn time(now: DateTime<Utc>) -> String {
    now.to_rfc3339_opts(SecondsFormat::Secs, true)
}
