//! Secrets under their owner's prefix.

use std::collections::BTreeSet;

use sdk::customers::Customers;
use sdk::deploy::Settings;
use sdk::id::{FunctionName, Owner};
use sdk::reserved;
use sdk::secrets::Mounted;

use super::Refused;

const MAX_SECRETS: usize = 64;
/// A secret may have several keys, each of which is a secret of the gateway.
const MAX_NAMES: usize = 256;
/// As in Kubernetes.
const MAX_NAME: usize = 253;

/// The secrets' names at the gateway: `<login>-<name>`, or one `<login>-<name>.<key>` for each key. A name that is another
/// tenant's or the platform's as well is refused: secrets carry no label that says whose they are. What import-secrets is
/// said to have answered is not taken on trust either.
pub(super) fn owned(owner: &Owner, settings: &Settings, tenants: &Customers) -> Result<Vec<String>, Refused> {
    let names = &settings.secrets;
    if names.len() > MAX_SECRETS {
        return Err(Refused(format!("a function may have {MAX_SECRETS} secrets, not {}", names.len())));
    }
    if let Some(other) = settings.mounted.keys().find(|name| !names.iter().any(|wanted| wanted == name.as_str())) {
        return Err(Refused(format!("the secret {other} is none of the function's secrets")));
    }
    let mut mounted = BTreeSet::new();
    for name in names {
        // A secret's name has the same form as a function's.
        let name: FunctionName = name.parse().map_err(|_| {
            Refused(format!("the secret {name:?} must have 1 to 63 lower-case letters, digits and inner hyphens"))
        })?;
        let full = full(owner, &name, tenants)?;
        match settings.mounted.get(&name) {
            None => drop(mounted.insert(full)),
            Some(Mounted { names, .. }) => mounted.extend(of_one(&name, &full, names)?),
        }
    }
    match mounted.len() {
        0..=MAX_NAMES => Ok(mounted.into_iter().collect()),
        many => Err(Refused(format!("the secrets of a function may have {MAX_NAMES} keys together, not {many}"))),
    }
}

fn full(owner: &Owner, name: &FunctionName, tenants: &Customers) -> Result<String, Refused> {
    let full = format!("{owner}-{name}");
    if reserved::is_secret(&full) || tenants.other_claimant(owner, &full).is_some() {
        return Err(Refused(format!("the secret {name} would be {full}, which belongs to someone else: rename it")));
    }
    Ok(full)
}

/// The names of one secret, each of which has to be its own or that of a key of it.
fn of_one(name: &FunctionName, full: &str, names: &[String]) -> Result<Vec<String>, Refused> {
    let is_key = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let fits = |given: &str| match given.strip_prefix(full) {
        Some("") => true,
        Some(rest) => given.len() <= MAX_NAME && rest.strip_prefix('.').is_some_and(is_key),
        None => false,
    };
    match names.iter().find(|given| !fits(given)) {
        Some(other) => Err(Refused(format!("{other:?} is no name of the secret {name}, which is {full}"))),
        None if names.is_empty() => Err(Refused(format!("the secret {name} has no name at the gateway"))),
        None => Ok(names.to_vec()),
    }
}
