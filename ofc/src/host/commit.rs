//! What a host was told about a commit.

use chrono::{DateTime, Utc};
use sdk::id::{CommitSha, RepoPath};
use sdk::status::STACK_CONTEXT;
use serde::{Deserialize, Serialize};

/// How many of a log's last lines are kept.
const LOG_LINES: usize = 30;
/// The longest line of it, in characters.
const LOG_WIDTH: usize = 200;
/// The longest title and message, in characters.
const SENTENCE: usize = 1000;

/// A commit and all that was said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Commit {
    pub(crate) repository: String,
    pub(crate) sha: CommitSha,
    /// The first line of its message.
    pub(crate) subject: String,
    pub(crate) outcome: Outcome,
    pub(crate) checks: Vec<Check>,
    pub(crate) deployments: Vec<Deployment>,
}

/// How far something is, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Queued,
    InProgress,
    Success,
    Failure,
    /// There was nothing to do.
    Neutral,
}

/// One check run or commit status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
    pub(crate) title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) millis: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) annotations: Vec<Remark>,
    /// The last lines of the log.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) log: Vec<String>,
}

/// A remark on a line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Remark {
    pub(crate) path: String,
    pub(crate) line: u64,
    pub(crate) message: String,
}

/// One deployment of the commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deployment {
    pub(crate) id: u64,
    pub(crate) task: String,
    pub(crate) environment: String,
    pub(crate) created_at: DateTime<Utc>,
    /// In the host's word; `requested` while nothing was said about it.
    #[serde(default = "requested")]
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) url: String,
}

fn requested() -> String {
    "requested".to_owned()
}

/// A check run as hosts have it.
#[derive(Debug, Deserialize)]
pub(super) struct CheckRun {
    pub(super) id: u64,
    name: String,
    status: String,
    conclusion: Option<String>,
    details_url: Option<String>,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    output: Output,
}

#[derive(Debug, Deserialize)]
struct Output {
    title: Option<String>,
    text: Option<String>,
    #[serde(default)]
    annotations_count: u64,
}

/// A commit status as hosts have it.
#[derive(Debug, Deserialize)]
pub(super) struct CommitStatus {
    id: u64,
    context: String,
    state: String,
    description: Option<String>,
    target_url: Option<String>,
    updated_at: DateTime<Utc>,
}

/// An annotation as hosts have it.
#[derive(Debug, Deserialize)]
pub(super) struct Annotated {
    path: String,
    start_line: u64,
    message: Option<String>,
}

/// A deployment's status as hosts have it.
#[derive(Debug, Deserialize)]
pub(super) struct DeploymentStatus {
    state: String,
    #[serde(default)]
    environment_url: String,
}

impl Outcome {
    /// True if nothing more is expected.
    pub(crate) fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::InProgress)
    }
}

impl CheckRun {
    pub(super) fn has_remarks(&self) -> bool {
        self.output.annotations_count > 0 && self.outcome() == Outcome::Failure
    }

    fn outcome(&self) -> Outcome {
        match (self.status.as_str(), self.conclusion.as_deref()) {
            ("completed", Some("success")) => Outcome::Success,
            ("completed", Some("neutral" | "skipped" | "stale")) => Outcome::Neutral,
            ("completed", _) => Outcome::Failure,
            ("in_progress", _) => Outcome::InProgress,
            _ => Outcome::Queued,
        }
    }
}

impl Check {
    pub(super) fn of_run(run: CheckRun, annotations: Vec<Remark>) -> Self {
        let outcome = run.outcome();
        let took = run.completed_at.zip(run.started_at).map(|(end, start)| (end - start).num_milliseconds());
        let log = match outcome {
            Outcome::Failure => of_git::plain::tail(&run.output.text.unwrap_or_default(), LOG_LINES, LOG_WIDTH),
            _ => Vec::new(),
        };
        Self {
            id: run.id,
            name: line(&run.name),
            outcome,
            title: line(&run.output.title.unwrap_or_default()),
            millis: took.filter(|_| outcome.is_final()).and_then(|millis| u64::try_from(millis).ok()),
            ended_at: run.completed_at,
            url: run.details_url.map(|url| line(&url)).filter(|url| !url.is_empty()),
            annotations,
            log,
        }
    }

    pub(super) fn of_status(status: CommitStatus) -> Self {
        let outcome = match status.state.as_str() {
            "success" => Outcome::Success,
            "pending" => Outcome::InProgress,
            _ => Outcome::Failure,
        };
        Self {
            id: status.id,
            name: line(&status.context),
            outcome,
            title: line(&status.description.unwrap_or_default()),
            millis: None,
            ended_at: outcome.is_final().then_some(status.updated_at),
            url: status.target_url.map(|url| line(&url)).filter(|url| !url.is_empty()),
            annotations: Vec::new(),
            log: Vec::new(),
        }
    }
}

impl From<Annotated> for Remark {
    fn from(annotated: Annotated) -> Self {
        let message = line(annotated.message.as_deref().unwrap_or_default());
        Self { path: line(&annotated.path), line: annotated.start_line, message }
    }
}

impl Deployment {
    pub(super) fn settle(&mut self, last: Option<DeploymentStatus>) {
        (self.task, self.environment) = (line(&self.task), line(&self.environment));
        let (state, url) = last.map_or_else(|| (requested(), String::new()), |last| (last.state, last.environment_url));
        (self.state, self.url) = (line(&state), line(&url));
    }
}

impl Commit {
    pub(super) fn new(
        path: &RepoPath,
        sha: CommitSha,
        subject: String,
        mut checks: Vec<Check>,
        deployments: Vec<Deployment>,
    ) -> Self {
        // The word about the whole comes last.
        checks.sort_by(|a, b| (a.name == STACK_CONTEXT, &a.name).cmp(&(b.name == STACK_CONTEXT, &b.name)));
        let outcome = together(&checks);
        Self { repository: path.to_string(), sha, subject: line(&subject), outcome, checks, deployments }
    }

    /// What was said about the whole.
    pub(crate) fn stack(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == STACK_CONTEXT)
    }
}

/// The whole is as far as what was said about it; without that, as far as the slowest part.
fn together(checks: &[Check]) -> Outcome {
    if let Some(stack) = checks.iter().find(|check| check.name == STACK_CONTEXT) {
        return stack.outcome;
    }
    let any = |outcome: Outcome| checks.iter().any(|check| check.outcome == outcome);
    [Outcome::InProgress, Outcome::Queued, Outcome::Failure, Outcome::Success, Outcome::Neutral]
        .into_iter()
        .find(|outcome| any(*outcome))
        .unwrap_or(Outcome::Queued)
}

/// Words of a stranger's, made safe for a terminal.
fn line(text: &str) -> String {
    of_git::plain::line(text, SENTENCE)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(name: &str, status: &str, conclusion: Value) -> Check {
        let run = json!({
            "id": 1, "name": name, "status": status, "conclusion": conclusion, "details_url": "",
            "started_at": "2026-01-01T00:00:00Z", "completed_at": "2026-01-01T00:00:03Z",
            "output": {"title": "the \u{1b}[1mtitle", "text": "```\nlog\n```", "annotations_count": 1},
        });
        Check::of_run(serde_json::from_value(run).unwrap(), Vec::new())
    }

    fn outcome(checks: Vec<Check>) -> Outcome {
        Commit::new(&"alice/hello".parse().unwrap(), "a".repeat(40).parse().unwrap(), "x".into(), checks, Vec::new())
            .outcome
    }

    #[test]
    fn the_stack_speaks_for_the_whole() {
        let failed = || check("a", "completed", "failure".into());
        assert_eq!(outcome(vec![failed(), check(STACK_CONTEXT, "in_progress", Value::Null)]), Outcome::InProgress);
        assert_eq!(outcome(vec![check("a", "completed", "success".into()), failed()]), Outcome::Failure);
        assert_eq!(outcome(vec![failed(), check("b", "queued", Value::Null)]), Outcome::Queued);
        assert_eq!(outcome(vec![check(STACK_CONTEXT, "completed", "skipped".into())]), Outcome::Neutral);
        assert_eq!(outcome(vec![check(STACK_CONTEXT, "completed", "timed_out".into())]), Outcome::Failure);
        assert_eq!(outcome(Vec::new()), Outcome::Queued, "it may not have begun");
    }

    #[test]
    fn a_failure_has_its_log_and_others_have_none() {
        let failed = check("a", "completed", "failure".into());
        assert_eq!((failed.title.as_str(), failed.millis, failed.url), ("the title", Some(3000), None));
        assert_eq!(failed.log, ["log"]);
        let good = check("a", "completed", "success".into());
        assert!(good.log.is_empty());
        assert_eq!(check("a", "in_progress", Value::Null).millis, None);
    }
}
