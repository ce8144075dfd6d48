//! The labels by which everything else knows whose a function is and what it was made from.

use std::collections::BTreeMap;

use sdk::deploy::DeployOrder;
use sdk::id::ServiceName;
use sdk::labels;

/// The platform's labels. They are put over the author's.
pub(super) fn of(order: &DeployOrder, name: &ServiceName, now: u64) -> BTreeMap<String, String> {
    let event = &order.event;
    let text = |text: &str| labels::value(text).into_owned();
    let pairs = [
        ("faas_function", name.to_string()),
        ("app", name.to_string()),
        (labels::GIT_CLOUD, "1".to_owned()),
        (labels::GIT_OWNER, event.owner.to_string()),
        (labels::GIT_OWNER_ID, event.owner_id.to_string()),
        (labels::GIT_REPO, text(event.repo.as_str())),
        (labels::GIT_SHA, text(event.sha.as_str())),
        (labels::GIT_DEPLOY_TIME, now.to_string()),
        (labels::GIT_PRIVATE, u8::from(event.private).to_string()),
        (labels::GIT_SCM, text(&event.host)),
        (labels::GIT_BRANCH, text(&event.branch)),
        (labels::BUILD_DIGEST, text(&order.build_digest)),
        (labels::DEPLOY_DIGEST, text(&order.deploy_digest)),
    ];
    // A repository without a number is known by its name only.
    let number = (event.repo_id != 0).then(|| (labels::GIT_REPO_ID, event.repo_id.to_string()));
    pairs.into_iter().chain(number).map(|(label, value)| (label.to_owned(), value)).collect()
}
