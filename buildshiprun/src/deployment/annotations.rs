//! Annotations: a few of the author's, and where the function comes from.

use std::collections::BTreeMap;

use sdk::access::Access;
use sdk::deploy::DeployOrder;
use sdk::labels::{ACCESS, DOMAINS, GIT_REPO_URL};

use super::Refused;

/// What an author may set; anything else in stack.yml is for others and is left out.
const ALLOWED: [&str; 6] =
    ["topic", "schedule", "com.openfaas.health.http.path", "com.openfaas.health.http.initialDelay", ACCESS, DOMAINS];
/// The most hosts that the router looks at for one function.
const MAX_DOMAINS: usize = 20;
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
        match name.as_str() {
            ACCESS => check_access(value)?,
            DOMAINS => check_domains(value)?,
            _ => {}
        }
        annotations.insert(name.clone(), value.clone());
    }
    annotations.insert(GIT_REPO_URL.to_owned(), order.event.html_url.clone());
    Ok(annotations)
}

/// A slip must not leave a function open, nor closed to those whom it was written for.
fn check_access(value: &str) -> Result<(), Refused> {
    let unknown = |error| Refused(format!("the annotation {ACCESS} {error}, and is '{value}'"));
    value.parse::<Access>().map(drop).map_err(unknown)
}

fn check_domains(value: &str) -> Result<(), Refused> {
    let hosts: Vec<&str> = value.split(',').map(str::trim).collect();
    if hosts.len() > MAX_DOMAINS {
        return Err(Refused(format!("the annotation {DOMAINS} names more than {MAX_DOMAINS} hosts")));
    }
    match hosts.iter().find(|host| !is_host(host)) {
        Some(host) => Err(Refused(format!(
            "the annotation {DOMAINS} has to be a list of host names such as www.example.com, joined by commas, and '{host}' is none"
        ))),
        None => Ok(()),
    }
}

/// A name of at least two labels that is no address; in its ASCII form.
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let top = host.rsplit('.').next().unwrap_or_default();
    let letters = top.bytes().any(|b| b.is_ascii_alphabetic());
    host.len() <= 253 && host.contains('.') && letters && host.split('.').all(label)
}
