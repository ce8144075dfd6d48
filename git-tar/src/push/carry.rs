//! Carries a plan out: functions to buildshiprun, then the garbage.

use std::time::Duration;

use futures_util::StreamExt;
use sdk::event::PushEvent;
use sdk::garbage::{GARBAGE_FUNCTION, GarbageRequest, Scope};
use sdk::id::{CommitSha, FunctionName};
use sdk::status::{Annotation, State};

use super::Shared;
use super::secrets::waits;
use crate::deploy::{self, DeployError};
use crate::plan::{Action, Work};
use crate::problem::{Failed, Problem, sentence};
use crate::report::{Detail, Report};
use crate::turns::Turn;

/// How often the stack's status follows its functions'.
const PROGRESS: Duration = Duration::from_secs(3);

/// The longest answer of garbage-collect that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;

/// What garbage-collect answers: names at the gateway.
#[derive(serde::Deserialize)]
struct Collected {
    deleted: Vec<String>,
}

/// How one function ended.
enum Ended {
    Live { reused: bool },
    Failed(Failed, bool),
    Superseded(CommitSha),
}

/// How all that was to be done ended.
pub(super) enum Carried {
    /// Everything is live; so many images were there already.
    Live { reused: usize },
    /// A newer commit came in between.
    Superseded(CommitSha),
}

impl Shared {
    /// Sends what is not live yet, some at once. A failure does not stop the others.
    pub(super) async fn carry_out(
        &self,
        report: &Report<'_>,
        work: Vec<Work>,
        turn: &Turn,
    ) -> Result<Carried, Problem> {
        let (unchanged, to_do): (Vec<_>, Vec<_>) = work.into_iter().partition(Work::is_done);
        // Of what is only deployed anew, and need not be, nobody hears.
        let told = unchanged.iter().filter(|_| report.event.restart.is_empty());
        told.for_each(|work| report.unchanged(&work.function));
        let sends = to_do.into_iter().map(|work| self.function(report, work, turn));
        let sends = futures_util::stream::iter(sends).buffer_unordered(self.config.build_parallelism);
        tokio::select! {
            ended = sends.collect::<Vec<_>>() => conclude(ended),
            never = follow(report) => match never {},
        }
    }

    async fn function(&self, report: &Report<'_>, work: Work, turn: &Turn) -> Ended {
        let function = work.function.clone();
        if let Some(newer) = turn.superseded_by() {
            let sentence = format!("superseded by {}", newer.short());
            report.end(&function, State::Neutral, &sentence, Detail::default());
            return Ended::Superseded(newer);
        }
        if !work.missing.is_empty() {
            let reason = waits(report.event, &work.missing);
            tracing::warn!(%function, "A function waits for a secret");
            return Ended::Failed(at_its_name(report, &function, reason), false);
        }
        let (to_build, dockerfile) = (matches!(work.action, Action::Build(..)), work.dockerfile.clone());
        report.begin(&function, begun(report, to_build));
        match self.send(report, work).await {
            Ok(built) => {
                tracing::info!(%function, built, "function done");
                report.live(&function);
                Ended::Live { reused: to_build && !built }
            }
            Err(error) => {
                tracing::warn!(%function, error = sdk::failure::chain(&error), "A function could not be deployed");
                let again = error.is_worth_a_retry();
                Ended::Failed(fail(report, &function, dockerfile, error), again)
            }
        }
    }

    /// The same, with what its build may mount sealed for the builder.
    async fn with_build_secrets(&self, report: &Report<'_>, work: Work) -> Result<Work, DeployError> {
        let action = match work.action {
            Action::Build(image, plan) if !plan.build_secrets().is_empty() => {
                let sealed = self.keeper(report.call).seal_for_build(report.event, plan.build_secrets().clone()).await;
                let failed = |error: Problem| DeployError::Secrets {
                    again: error.is_worth_a_retry(),
                    reason: error.to_string(),
                };
                Action::Build(image, Box::new(plan.with_sealed(sealed.map_err(failed)?)))
            }
            other => other,
        };
        Ok(Work { action, ..work })
    }

    /// True if an image was built.
    async fn send(&self, report: &Report<'_>, work: Work) -> Result<bool, DeployError> {
        let work = self.with_build_secrets(report, work).await?;
        let (event, function) = (report.event.clone(), work.function.clone());
        let packed = tokio::task::spawn_blocking(move || deploy::pack(&event, work)).await;
        let packed = packed.map_err(|error| DeployError::Pack(std::io::Error::other(error)))??;
        tracing::info!(%function, bytes = packed.0.len(), "function sent");
        deploy::send(&self.config.functions, packed, self.config.build_timeout, report.call).await
    }

    pub(super) async fn collect_garbage(&self, report: &Report<'_>, keep: Vec<FunctionName>) -> Result<(), Problem> {
        let event = report.event;
        let request = GarbageRequest {
            host: event.host.clone(),
            owner: event.owner.clone(),
            owner_id: event.owner_id,
            repo: Scope::Repo(event.repo.clone()),
            repo_id: Some(event.repo_id).filter(|id| *id != 0),
            former_owners: false,
            until: None,
            sha: Some(event.sha.clone()),
            actor: event.pusher.clone(),
            keep,
        };
        tracing::info!("garbage collection asked");
        let asked = self.config.functions.invoke(GARBAGE_FUNCTION, &request, report.call).await;
        let failed = |error: sdk::call::CallError| Problem::Garbage {
            reason: error.to_string(),
            again: error.is_worth_a_retry(),
        };
        report.removed(removed(event, asked.map_err(failed)?).await);
        Ok(())
    }
}

/// The functions that garbage-collect says it deleted, by their names in the stack file; none if it does not say.
async fn removed(event: &PushEvent, answer: reqwest::Response) -> Vec<FunctionName> {
    let text = sdk::call::bounded_text(answer, MAX_ANSWER).await;
    let Ok(collected) = serde_json::from_str::<Collected>(&text) else { return Vec::new() };
    let prefix = format!("{}-", event.owner);
    collected.deleted.iter().filter_map(|name| name.strip_prefix(&prefix)?.parse().ok()).collect()
}

/// Tells now and then how far the stack is; a quick push ends before.
async fn follow(report: &Report<'_>) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(PROGRESS).await;
        report.progress();
    }
}

/// What is told of a function while it is worked on.
fn begun(report: &Report<'_>, to_build: bool) -> &'static str {
    match to_build {
        _ if !report.event.restart.is_empty() => "restarting: a secret has changed",
        true => "building",
        false => "deploying",
    }
}

/// Tells that a function failed before anything was done, at its name in the stack file.
pub(super) fn at_its_name(report: &Report<'_>, function: &FunctionName, reason: String) -> Failed {
    let annotations: Vec<Annotation> = report.on_function(function, reason.clone()).into_iter().collect();
    let detail = Detail { annotations: annotations.clone(), ..Detail::default() };
    report.end(function, State::Failure, &reason, detail);
    Failed { function: function.clone(), reason, annotations }
}

/// Tells that a function failed, with the line that is at fault where it is known.
fn fail(report: &Report<'_>, function: &FunctionName, dockerfile: Option<String>, error: DeployError) -> Failed {
    let (reason, again) = (error.to_string(), error.is_worth_a_retry());
    let (log, line) = match error {
        DeployError::Refused { answer, .. } => (answer.log, answer.dockerfile_line),
        DeployError::Pack(_) | DeployError::Secrets { .. } | DeployError::Silent(_) => (String::new(), None),
    };
    // What may pass by itself is no line's fault.
    let annotation = match (dockerfile, line) {
        _ if again => None,
        (Some(path), Some(line)) => Some(Annotation { path, line, message: reason.clone() }),
        (None, Some(line)) => {
            report.on_function(function, format!("{reason} (line {line} of its template's Dockerfile)"))
        }
        (_, None) => report.on_function(function, reason.clone()),
    };
    let annotations: Vec<Annotation> = annotation.into_iter().collect();
    let detail = Detail { log, annotations: annotations.clone() };
    report.end(function, State::Failure, &sentence(&reason, again), detail);
    Failed { function: function.clone(), reason, annotations }
}

fn conclude(ended: Vec<Ended>) -> Result<Carried, Problem> {
    let (mut failed, mut again, mut superseded, mut reused) = (Vec::new(), false, None, 0);
    for ended in ended {
        match ended {
            Ended::Live { reused: this_one } => reused += usize::from(this_one),
            Ended::Failed(function, worth_it) => {
                failed.push(function);
                again |= worth_it;
            }
            Ended::Superseded(by) => superseded = Some(by),
        }
    }
    match superseded {
        Some(newer) => Ok(Carried::Superseded(newer)),
        None if failed.is_empty() => Ok(Carried::Live { reused }),
        None => Err(Problem::Functions { failed, again }),
    }
}
