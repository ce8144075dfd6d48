//! Who holds a name at the gateway.

use sdk::event::PushEvent;
use sdk::failure::Failure;
use sdk::gateway::{FunctionStatus, Gateway};
use sdk::id::ServiceName;
use sdk::{labels, reserved};

/// The function that is deployed under the name now, if the push may replace it.
pub(crate) async fn current(
    gateway: &Gateway,
    event: &PushEvent,
    name: &ServiceName,
) -> Result<Option<FunctionStatus>, Failure> {
    if reserved::is_function(name) {
        return Err(of_the_platform(name));
    }
    let existing = gateway
        .get(name.as_str())
        .await
        .map_err(|error| Failure::upstream("the gateway does not say whether the function exists").because(error))?;
    match existing {
        Some(function) => check(event, name, &function).map(|()| Some(function)),
        None => Ok(None),
    }
}

/// By labels, and by all of them: the owner's number at its host, and the repository's, which stays when it is
/// renamed.
fn check(event: &PushEvent, name: &ServiceName, function: &FunctionStatus) -> Result<(), Failure> {
    let label = |name: &str| function.labels.get(name).map(String::as_str);
    if label(labels::ROLE) == Some(labels::SYSTEM_ROLE) {
        return Err(of_the_platform(name));
    }
    let same_owner = label(labels::GIT_CLOUD) == Some("1")
        && label(labels::GIT_OWNER_ID) == Some(&event.owner_id.to_string())
        && label(labels::GIT_SCM) == Some(&labels::value(&event.host));
    if !same_owner {
        return Err(Failure::conflict(format!("the name {name} is held by someone else: rename the function")));
    }
    let (repo, repo_id) = (label(labels::GIT_REPO), label(labels::GIT_REPO_ID));
    // What has no number was deployed before there were any.
    let same_repo = match repo_id {
        Some(id) => id == event.repo_id.to_string(),
        None => repo == Some(&labels::value(event.repo.as_str())),
    };
    match same_repo {
        true => Ok(()),
        false => {
            let holder = repo.unwrap_or("(unknown)");
            Err(Failure::conflict(format!(
                "the name {name} is held by repository {holder}: rename the function or remove it there"
            )))
        }
    }
}

fn of_the_platform(name: &ServiceName) -> Failure {
    Failure::conflict(format!("the name {name} belongs to the platform: rename the function"))
}
