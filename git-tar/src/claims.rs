//! What the functions that are deployed say about a push: whose its owner's login is, and whether it comes too late.

use sdk::event::PushEvent;
use sdk::gateway::FunctionStatus;
use sdk::id::CommitSha;
use sdk::labels;

use crate::problem::Problem;

/// The host's clock and this platform's may be so far apart, in seconds.
const SKEW: u64 = 300;

/// Refuses an account whose login another account deploys under. A login can be given up and taken by somebody else,
/// and the tenant list has logins; as long as anything of the former account is deployed, the login means that account.
pub(crate) fn check_login(event: &PushEvent, deployed: &[FunctionStatus]) -> Result<(), Problem> {
    let theirs = |function: &&FunctionStatus| {
        says(function, labels::GIT_CLOUD, "1")
            && says(function, labels::GIT_OWNER, event.owner.as_str())
            && !is_owners(event, function)
    };
    let Some(function) = deployed.iter().find(theirs) else { return Ok(()) };
    let label = |name: &str| function.labels.get(name).map_or("unknown", String::as_str);
    Err(Problem::Refused(format!(
        "the login {} is held by someone else: functions of the account {}/{} are deployed under it here, and this push is of {}/{}. Ask the operator of this platform",
        event.owner,
        label(labels::GIT_SCM),
        label(labels::GIT_OWNER_ID),
        event.host,
        event.owner_id,
    )))
}

/// The commit that was deployed after somebody asked for the event's by itself. Such an event is compared with no branch, so a
/// webhook that is delivered again, days later even, would undo what is newer.
pub(crate) fn newer(event: &PushEvent, deployed: &[FunctionStatus]) -> Option<CommitSha> {
    let asked = event.asked_at.filter(|_| event.pinned)?.saturating_add(SKEW);
    let of_repository = |function: &&FunctionStatus| {
        is_owners(event, function) && says(function, labels::GIT_REPO_ID, &event.repo_id.to_string())
    };
    let time = |function: &FunctionStatus| function.labels.get(labels::GIT_DEPLOY_TIME)?.parse::<u64>().ok();
    let newest = deployed.iter().filter(of_repository).max_by_key(|function| time(function))?;
    let sha = newest.labels.get(labels::GIT_SHA)?.parse::<CommitSha>().ok()?;
    (time(newest)? > asked && sha != event.sha).then_some(sha)
}

/// True if a function was deployed for the event's owner from its repository: by its number, or by its name where it was
/// deployed before repositories had numbers.
pub(crate) fn is_of_repository(event: &PushEvent, function: &FunctionStatus) -> bool {
    let repository = match function.labels.get(labels::GIT_REPO_ID) {
        Some(id) => *id == event.repo_id.to_string(),
        None => says(function, labels::GIT_REPO, &labels::value(event.repo.as_str())),
    };
    is_owners(event, function) && repository
}

fn is_owners(event: &PushEvent, function: &FunctionStatus) -> bool {
    says(function, labels::GIT_OWNER_ID, &event.owner_id.to_string())
        && says(function, labels::GIT_SCM, &labels::value(&event.host))
}

fn says(function: &FunctionStatus, label: &str, value: &str) -> bool {
    function.labels.get(label).is_some_and(|found| found == value)
}
