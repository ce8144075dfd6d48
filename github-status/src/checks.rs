//! Check runs: found, made, and changed as the work goes on.
//!
//! One run is one context of one commit in one push: its `external_id` is the push's call. A later push of the same
//! commit, GitHub's "Re-run" button among them, gets runs of its own, as GitHub's own Actions do it: GitHub shows the
//! newest run of a name and keeps the earlier ones with their logs. A state that comes late, or twice, finds the run
//! of its push, and can never change the run of another one.

use chrono::Utc;
use github_app::{Call, Client, GithubError, Permission, Scope};
use http::Method;
use sdk::call::CallId;
use sdk::status::{Known, State, Status};
use serde::Deserialize;

use crate::check_run::{CheckRun, Next, Run};
use crate::github::{Outcome, Subject};

/// Runs of one context and commit that are looked through, the newest first. More re-runs of one commit are rare.
const MAX_RUNS: &str = "30";
/// How often a run is looked for anew: it was deleted, or an answer was lost.
const ATTEMPTS: u32 = 3;

#[derive(Deserialize)]
struct Runs {
    check_runs: Vec<Run>,
}

/// What there is of a context.
enum Found {
    Mine(Run),
    /// Runs of other pushes.
    Others,
    Nothing,
}

/// What is to be done.
enum Aim {
    Make,
    Change(Run),
    Leave(Option<Run>, Outcome),
}

/// Reports check runs.
pub(crate) struct Checks {
    client: Client,
    known: Known<(Subject, CallId), Run>,
}

impl Checks {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, known: Known::new() }
    }

    /// Makes or changes the check run of the status's commit, context and call.
    pub(crate) async fn report(
        &self,
        status: &Status,
        url: Option<&str>,
        call: &CallId,
    ) -> Result<Outcome, GithubError> {
        let place = self.known.place((Subject::of(status), call.clone()));
        let mut known = place.lock().await;
        let mut attempt = 1;
        loop {
            let aim = self.aim(known.take(), status, call).await?;
            let reported = match &aim {
                Aim::Change(run) => self.change(run, status, url).await,
                Aim::Make => self.make(status, url, call).await,
                Aim::Leave(run, outcome) => {
                    known.clone_from(run);
                    return Ok(*outcome);
                }
            };
            match reported {
                Ok(run) => {
                    *known = Some(run.said_at(status.at));
                    return Ok(Outcome::Reported);
                }
                // It was deleted at GitHub, or made without an answer: what there is decides.
                Err(error) if attempt < ATTEMPTS && is_unclear(&aim, &error) => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// What is to be done, by the run that is known or by what GitHub lists.
    async fn aim(&self, known: Option<Run>, status: &Status, call: &CallId) -> Result<Aim, GithubError> {
        let found = match known {
            Some(run) => Found::Mine(run),
            None => self.find(status, call).await?,
        };
        Ok(match found {
            Found::Mine(run) => match run.next(status) {
                Next::Nothing => Aim::Leave(Some(run), Outcome::Late),
                Next::Change => Aim::Change(run),
                Next::Anew => Aim::Make,
            },
            // This push has nothing to say about a commit that another one has dealt with.
            Found::Others if status.state == State::Neutral => Aim::Leave(None, Outcome::OfAnother),
            Found::Others | Found::Nothing => Aim::Make,
        })
    }

    async fn find(&self, status: &Status, call: &CallId) -> Result<Found, GithubError> {
        let mut list = Call::new(
            "the list of check runs",
            Method::GET,
            path(status, &["commits", status.sha.as_str(), "check-runs"]),
        )
        .query("check_name", &status.context)
        .query("filter", "all")
        .query("per_page", MAX_RUNS);
        // Another App's run of the same name is not ours to change.
        if let Some(number) = self.client.app().and_then(github_app::App::number) {
            list = list.query("app_id", number.to_string());
        }
        let answer = self.client.send(&list, status.installation, &scope(status)).await?;
        let runs = answer.json::<Runs>()?.check_runs.into_iter().filter(|run| run.name == status.context);
        let (mine, others): (Vec<_>, Vec<_>) =
            runs.partition(|run| run.external_id.as_deref() == Some(call.to_string().as_str()));
        let mine = mine.into_iter().max_by_key(|run| run.id);
        Ok(match mine {
            Some(run) => Found::Mine(run),
            None if others.is_empty() => Found::Nothing,
            None => Found::Others,
        })
    }

    async fn make(&self, status: &Status, url: Option<&str>, call: &CallId) -> Result<Run, GithubError> {
        let body = CheckRun::new(status, url, call, Utc::now());
        let new = Call::new("a new check run", Method::POST, path(status, &["check-runs"])).once().json(&body)?;
        self.client.send(&new, status.installation, &scope(status)).await?.json()
    }

    async fn change(&self, run: &Run, status: &Status, url: Option<&str>) -> Result<Run, GithubError> {
        let id = run.id.to_string();
        let body = CheckRun::change(run, status, url, Utc::now());
        // Annotations are added to those that are there, so what may have been taken is looked at before it is sent again.
        let change = Call::new("an update of a check run", Method::PATCH, path(status, &["check-runs", &id]));
        self.client.send(&change.once().json(&body)?, status.installation, &scope(status)).await?.json()
    }
}

/// True where only GitHub's list can tell what became of a call.
fn is_unclear(aim: &Aim, error: &GithubError) -> bool {
    let deleted = matches!(aim, Aim::Change(_)) && error.is_not_found();
    deleted || (error.is_worth_a_retry() && !matches!(error, GithubError::Busy { .. }))
}

fn scope(status: &Status) -> Scope {
    Scope::new([Permission::Checks], status.repo_id, status.repo.as_str())
}

/// `repos/<owner>/<repo>/…`.
pub(crate) fn path<'a>(status: &'a Status, rest: &[&'a str]) -> Vec<&'a str> {
    ["repos", status.owner.as_str(), status.repo.as_str()].iter().chain(rest).copied().collect()
}
