//! Annotations: a few of the author's, and where the function comes from.

use std::collections::BTreeMap;

use sdk::deploy::DeployOrder;
use sdk::labels::GIT_REPO_URL;

use super::Refused;

/// What an author may set; anything else in stack.yml is for others and is left out.
const ALLOWED: [&str; 4] =
    ["topic", "schedule", "com.openfaas.health.http.path", "com.openfaas.health.http.initialDelay"];
const MAX_CHARS: usize = 1024;

pub(super) fn of(order: &DeployOrder) -> Result<BTreeMap<String, String>, Refused> {
    let wished = order.settings.annotations.iter().filter(|(name, _)| ALLOWED.contains(&name.as_str()));
    let mut annotations = BTreeMap::new();
    for (name, value) in wished {
        if value.chars().count() > MAX_CHARS || value.contains(char::is_control) {
            return Err(Refused(format!(
                "the annotation {name} is over {MAX_CHARS} characters or has control characters"
            )));
        }
        if name.ends_with(".path") && !value.starts_with('/') {
            return Err(Refused(format!("the annotation {name} must begin with '/'")));
        }
        annotations.insert(name.clone(), value.clone());
    }
    annotations.insert(GIT_REPO_URL.to_owned(), order.event.html_url.clone());
    Ok(annotations)
}
