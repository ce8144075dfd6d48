//! Commit statuses, for who wants no check runs or has no App.
//!
//! They have four states, no log and no memory of whose they are: the newest of a context counts. `pending` stands for
//! what waits and what goes on. There is no neutral: a push with nothing to do says nothing, except where something was
//! promised; that ends as `success`, and the description says that it was skipped.

use github_app::{Answer, Call, Client, GithubError, Permission, Scope};
use http::Method;
use sdk::call::CallId;
use sdk::status::{Known, State, Status};
use serde::{Deserialize, Serialize};

use crate::check_run::cut;
use crate::checks::path;
use crate::github::{Outcome, Subject};

/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 140;
/// Pages of a commit's contexts that are looked through, of 100 each: GitHub keeps no more.
const MAX_PAGES: u32 = 10;

#[derive(Serialize)]
struct CommitStatus<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_url: Option<&'a str>,
    description: String,
    context: &'a str,
}

impl<'a> CommitStatus<'a> {
    fn of(status: &'a Status, target_url: Option<&'a str>) -> Self {
        let (state, before) = match status.state {
            State::Queued | State::InProgress => ("pending", ""),
            State::Success => ("success", ""),
            State::Failure => ("failure", ""),
            State::Neutral => ("success", "Skipped: "),
        };
        let description = cut(&format!("{before}{}", status.title), MAX_DESCRIPTION);
        Self { state, target_url, description, context: &status.context }
    }
}

#[derive(Deserialize)]
struct Latest {
    statuses: Vec<ContextState>,
}

#[derive(Deserialize)]
struct ContextState {
    context: String,
    state: String,
}

/// Makes commit statuses.
pub(crate) struct CommitStatuses {
    client: Client,
    known: Known<Subject, Said>,
}

/// What was said last.
struct Said {
    call: CallId,
    state: State,
    at: u64,
}

impl Said {
    /// True if a status comes too late: something newer was said, or its push has said its last word.
    fn is_past(&self, status: &Status, call: &CallId) -> bool {
        if status.at != 0 && status.at < self.at {
            return true;
        }
        let ended = self.call == *call && self.state.is_final();
        match status.state {
            State::Success | State::Failure => false,
            // The queue tries the push again.
            State::InProgress => ended && (self.at == 0 || status.at <= self.at),
            State::Queued | State::Neutral => ended,
        }
    }
}

impl CommitStatuses {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, known: Known::new() }
    }

    /// Says a status, unless it comes late or says nothing.
    pub(crate) async fn report(
        &self,
        status: &Status,
        url: Option<&str>,
        call: &CallId,
    ) -> Result<Outcome, GithubError> {
        let place = self.known.place(Subject::of(status));
        let mut said = place.lock().await;
        if said.as_ref().is_some_and(|said| said.is_past(status, call)) {
            return Ok(Outcome::Late);
        }
        // "in progress" after "queued" is "pending" again, with other words.
        if status.state == State::Neutral && self.state_of(status).await?.as_deref() != Some("pending") {
            return Ok(Outcome::OfAnother);
        }
        let request = Call::new("a commit status", Method::POST, path(status, &["statuses", status.sha.as_str()]))
            .json(&CommitStatus::of(status, url))?;
        self.send(status, &request).await?;
        *said = Some(Said { call: call.clone(), state: status.state, at: status.at });
        Ok(Outcome::Reported)
    }

    /// The state of the status's context at GitHub.
    async fn state_of(&self, status: &Status) -> Result<Option<String>, GithubError> {
        for page in 1..=MAX_PAGES {
            let call = Call::new(
                "a commit's statuses",
                Method::GET,
                path(status, &["commits", status.sha.as_str(), "status"]),
            )
            .query("per_page", "100")
            .query("page", page.to_string());
            let answer = self.send(status, &call).await?;
            let latest: Latest = answer.json()?;
            if let Some(found) = latest.statuses.into_iter().find(|latest| latest.context == status.context) {
                return Ok(Some(found.state));
            }
            if answer.next_page("page").is_none() {
                break;
            }
        }
        Ok(None)
    }

    async fn send(&self, status: &Status, call: &Call<'_>) -> Result<Answer, GithubError> {
        let scope = Scope::new([Permission::Statuses], status.repo_id, status.repo.as_str());
        self.client.send(call, status.installation, &scope).await
    }
}
