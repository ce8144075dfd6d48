//! One check run: what is said about it, and what it becomes by that.

use chrono::{DateTime, Utc};
use sdk::id::CommitSha;
use serde::{Deserialize, Serialize};

use crate::cut::{cut, last};

/// The most annotations of one report; GitHub's limit.
pub(crate) const MAX_ANNOTATIONS: usize = 50;
/// The most annotations that a check run keeps.
const MAX_KEPT_ANNOTATIONS: usize = 200;
/// The longest text of a check run, in bytes; GitHub's limit.
pub(super) const MAX_TEXT: usize = 65_535;
/// The longest message of an annotation, in bytes.
const MAX_REMARK: usize = 4096;
/// The longest title and name, in bytes.
pub(super) const MAX_TITLE: usize = 1024;

/// How far a check run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Progress {
    Queued,
    #[serde(rename = "in_progress")]
    Running,
    Completed,
}

/// How a completed check run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Conclusion {
    Success,
    Failure,
    Neutral,
    Skipped,
    Cancelled,
    TimedOut,
    ActionRequired,
    Stale,
}

/// What a check run says to people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Output {
    #[serde(default)]
    pub(crate) title: Option<String>,
    #[serde(default)]
    pub(crate) summary: Option<String>,
    #[serde(default)]
    pub(crate) text: Option<String>,
    /// At most [`MAX_ANNOTATIONS`] in one report; those of later reports are added to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) annotations: Vec<Annotation>,
}

/// A remark on lines of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Annotation {
    pub(crate) path: String,
    pub(crate) start_line: u32,
    pub(crate) end_line: u32,
    #[serde(default)]
    pub(crate) start_column: Option<u32>,
    #[serde(default)]
    pub(crate) end_column: Option<u32>,
    pub(crate) annotation_level: AnnotationLevel,
    #[serde(default)]
    pub(crate) title: Option<String>,
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) raw_details: Option<String>,
}

/// How grave a remark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AnnotationLevel {
    Notice,
    Warning,
    Failure,
}

/// The states of a commit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CommitState {
    Error,
    Failure,
    Pending,
    Success,
}

/// What a caller says about a check run; on an update, what is left out stays.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Report {
    pub(crate) name: Option<String>,
    pub(crate) status: Option<Progress>,
    pub(crate) conclusion: Option<Conclusion>,
    pub(crate) details_url: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) completed_at: Option<DateTime<Utc>>,
    pub(crate) output: Option<Output>,
    /// Set if it is reported as a commit status.
    #[serde(skip)]
    pub(crate) state: Option<CommitState>,
}

/// One check run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CheckRun {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) head_sha: CommitSha,
    pub(crate) status: Progress,
    pub(crate) conclusion: Option<Conclusion>,
    pub(crate) details_url: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) completed_at: Option<DateTime<Utc>>,
    pub(crate) output: Output,
    /// What it is as a commit status, if it was reported as one and not as a check run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<CommitState>,
    /// Somebody asked for it to be done anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) rerun: bool,
    /// Grows with every change anywhere; who has seen a run at one number needs only newer ones.
    pub(crate) revision: u64,
}

impl CheckRun {
    pub(super) fn new(id: u64, name: String, head_sha: CommitSha) -> Self {
        Self {
            id,
            name,
            head_sha,
            status: Progress::Queued,
            conclusion: None,
            details_url: None,
            external_id: None,
            started_at: Utc::now(),
            completed_at: None,
            output: Output::default(),
            state: None,
            rerun: false,
            revision: id,
        }
    }

    /// True for a `queued` that must not take the place of a success or a failure.
    ///
    /// It may be late, or of a push that is told a second time, and would hide for ever how the commit ended.
    /// Whoever really carries the commit out again says `in_progress` or an end next, and both are always taken:
    /// a failure is tried again, and a commit is pushed to another branch. What ended without a result
    /// (`neutral`: not the branch that is built) may be queued, since another branch with this commit follows; so
    /// may what somebody asked to be done again.
    pub(super) fn is_past(&self, report: &Report) -> bool {
        let begins = report.status == Some(Progress::Queued) && report.conclusion.is_none();
        let no_result = matches!(self.conclusion, Some(Conclusion::Neutral | Conclusion::Skipped));
        begins && self.status == Progress::Completed && !no_result && !self.rerun
    }

    pub(super) fn apply(&mut self, report: Report, revision: u64) {
        if let Some(status) = report.status {
            self.status = status;
        }
        // As at GitHub, a conclusion completes a run, and a run that goes on has none.
        match report.conclusion {
            Some(conclusion) => {
                self.status = Progress::Completed;
                self.conclusion = Some(conclusion);
                self.completed_at = Some(report.completed_at.unwrap_or_else(Utc::now));
            }
            None if self.status != Progress::Completed => {
                self.conclusion = None;
                self.completed_at = None;
            }
            None => {}
        }
        self.started_at = report.started_at.unwrap_or(self.started_at);
        self.details_url = report.details_url.map(|url| cut(url, MAX_TITLE)).or(self.details_url.take());
        self.external_id = report.external_id.map(|id| cut(id, MAX_TITLE)).or(self.external_id.take());
        if let Some(output) = report.output {
            let mut annotations = std::mem::take(&mut self.output.annotations);
            annotations.extend(output.annotations.into_iter().map(Annotation::cut));
            annotations.truncate(MAX_KEPT_ANNOTATIONS);
            self.output = Output {
                title: output.title.map(|title| cut(title, MAX_TITLE)),
                summary: output.summary.map(|summary| cut(summary, MAX_TEXT)),
                text: output.text.map(|text| last(text, MAX_TEXT)),
                annotations,
            };
        }
        self.state = report.state;
        self.rerun = false;
        self.revision = revision;
    }
}

impl Annotation {
    fn cut(self) -> Self {
        Self {
            path: cut(self.path, MAX_TITLE),
            title: self.title.map(|title| cut(title, MAX_TITLE)),
            message: cut(self.message, MAX_REMARK),
            raw_details: self.raw_details.map(|details| cut(details, MAX_REMARK)),
            ..self
        }
    }
}
