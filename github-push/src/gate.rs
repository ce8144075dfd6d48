//! Which branch is deployed.

use sdk::event::PushEvent;

/// The sentence for a push that is not deployed, or `None` where it is. Whole names are compared: `evil/master`
/// is not `master`.
pub(crate) fn reason_to_skip(event: &PushEvent, build_branch: Option<&str>) -> Option<String> {
    let wanted = build_branch.unwrap_or(&event.default_branch);
    let skipped = event.branch != wanted;
    skipped.then(|| format!("skipping build for refs/heads/{}: the build branch is {wanted}", event.branch))
}
