//! GitLab's commit statuses.
//!
//! A status is a job of a pipeline, and moves from state to state as one: GitLab refuses (400) to be told that what
//! waits waits, that what runs waits, or that what runs is skipped. A state after the last one makes a new status in
//! the place of the old, which is what a re-run of a commit should look like.
//!
//! Without the number of a pipeline GitLab takes the newest one of the commit and branch. A project's own may begin
//! after the first status, and what waits in the older one would wait for ever; so the first answer's number is kept.

use gitlab_api::{Api, Call, GitlabError};
use sdk::status::{Known, State, Status};
use serde::{Deserialize, Serialize};

use crate::gitlab::Outcome;

/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 255;

/// One context of one commit on one branch.
type Subject = (u64, String, String, String);

/// What GitLab was told last of a context.
#[derive(Debug, Clone, Copy)]
struct Said {
    at: u64,
    state: State,
    /// Whether the context's name is taken by a job of the project's own.
    prefixed: bool,
}

#[derive(Serialize)]
struct NewStatus<'a> {
    state: &'static str,
    name: &'a str,
    #[serde(rename = "ref", skip_serializing_if = "str::is_empty")]
    branch: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_url: Option<&'a str>,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline_id: Option<u64>,
}

#[derive(Deserialize)]
struct Made {
    /// Not told by older ones.
    #[serde(default)]
    pipeline_id: Option<u64>,
}

/// GitLab's complaint about a request that is right in form.
#[derive(Debug, PartialEq, Eq)]
enum Complaint {
    /// The status does not go from where it is to there.
    Transition,
    /// It does not know this state: `skipped` is younger than the others.
    State,
    /// A job of the project's own has the name.
    Name,
}

pub(crate) struct CommitStatuses {
    api: Api,
    known: Known<Subject, Said>,
    /// The pipeline of a project's commit on a branch.
    pipelines: Known<(u64, String, String), u64>,
}

impl CommitStatuses {
    pub(crate) fn new(api: Api) -> Self {
        Self { api, known: Known::new(), pipelines: Known::new() }
    }

    pub(crate) async fn report(&self, status: &Status, url: Option<&str>) -> Result<Outcome, GitlabError> {
        let subject = (status.repo_id, status.sha.to_string(), status.branch.clone(), status.context.clone());
        let place = self.known.place(subject);
        let mut known = place.lock().await;
        match *known {
            Some(said) if status.at != 0 && said.at > status.at => return Ok(Outcome::Late),
            // It was told, and something else failed.
            Some(said) if status.at != 0 && said.at == status.at => return Ok(Outcome::Reported),
            // GitLab would refuse it.
            Some(said) if said.state == status.state && !status.state.is_final() => return Ok(Outcome::Reported),
            _ => {}
        }
        let prefixed = known.is_some_and(|said| said.prefixed);
        let prefixed = self.tell(status, url, prefixed).await?;
        *known = Some(Said { at: status.at, state: status.state, prefixed });
        Ok(Outcome::Reported)
    }

    /// Tries the state's words, one after the other, and another name where the first is taken. True if it was.
    async fn tell(&self, status: &Status, url: Option<&str>, mut prefixed: bool) -> Result<bool, GitlabError> {
        let mut words = words(status.state).iter();
        let Some(mut word) = words.next() else { return Ok(prefixed) };
        loop {
            let Err(error) = self.post(status, url, word, prefixed).await else { return Ok(prefixed) };
            match error.bad_request().and_then(Complaint::of) {
                Some(Complaint::Name) if !prefixed => prefixed = true,
                Some(Complaint::Transition) if !status.state.is_final() => return Ok(prefixed),
                Some(Complaint::Transition | Complaint::State) => word = words.next().ok_or(error)?,
                _ => return Err(error),
            }
        }
    }

    /// Says it in the pipeline where the commit's other statuses are, if it is there still.
    async fn post(
        &self,
        status: &Status,
        url: Option<&str>,
        state: &'static str,
        prefixed: bool,
    ) -> Result<(), GitlabError> {
        let place = self.pipelines.place((status.repo_id, status.sha.to_string(), status.branch.clone()));
        let pipeline = *place.lock().await;
        let name = if prefixed { format!("openfaas-cloud/{}", status.context) } else { status.context.clone() };
        let (branch, description) = (status.branch.as_str(), &description(status));
        let body = NewStatus { state, name: &name, branch, target_url: url, description, pipeline_id: pipeline };
        let made = match self.send(status, &body).await {
            Err(GitlabError::NotThere { .. }) if pipeline.is_some() => {
                self.send(status, &NewStatus { pipeline_id: None, ..body }).await?
            }
            made => made?,
        };
        *place.lock().await = made.pipeline_id;
        Ok(())
    }

    async fn send(&self, status: &Status, body: &NewStatus<'_>) -> Result<Made, GitlabError> {
        let path = ["projects", &status.repo_id.to_string(), "statuses", status.sha.as_str()];
        self.api.send(&Call::post("a commit status", path).body(body)).await
    }
}

impl Complaint {
    fn of(text: &str) -> Option<Self> {
        if text.contains("Cannot transition status") {
            Some(Self::Transition)
        } else if text.contains("state does not have a valid value") {
            Some(Self::State)
        } else if text.contains("\"name\"") && text.contains("taken") {
            Some(Self::Name)
        } else {
            None
        }
    }
}

/// GitLab's words for a state, the best one first. Another branch, and what was superseded, is never a failure.
fn words(state: State) -> &'static [&'static str] {
    match state {
        State::Queued => &["pending"],
        State::InProgress => &["running"],
        State::Success => &["success"],
        State::Failure => &["failed"],
        State::Neutral => &["skipped", "canceled"],
    }
}

/// The title, and for a failure the first line that is at fault: GitLab shows no other remarks.
fn description(status: &Status) -> String {
    let place = status.annotations.first().filter(|_| status.state == State::Failure);
    let place = place.map(|remark| format!(" ({}:{})", remark.path, remark.line));
    let place = place.filter(|place| place.chars().count() <= MAX_DESCRIPTION / 2).unwrap_or_default();
    let place: String = place.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let room = MAX_DESCRIPTION - place.chars().count();
    if status.title.chars().count() <= room {
        return status.title.clone() + &place;
    }
    status.title.chars().take(room - 1).chain(['…']).collect::<String>() + &place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_told_apart() {
        let of = Complaint::of;
        let repeated = r#"{"message":"Cannot transition status via :run from :running (Reason(s): Status cannot transition via \"run\")"}"#;
        assert_eq!(of(repeated), Some(Complaint::Transition));
        assert_eq!(of(r#"{"error":"state does not have a valid value"}"#), Some(Complaint::State));
        assert_eq!(of(r#"{"message":{"name":["has already been taken"]}}"#), Some(Complaint::Name));
        assert_eq!(of(r#"{"message":{"target_url":["is blocked"]}}"#), None);
    }
}
