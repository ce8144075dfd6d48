//! Secrets under their owner's prefix.

use sdk::customers::Customers;
use sdk::id::{FunctionName, Owner};
use sdk::reserved;

use super::Refused;

const MAX_SECRETS: usize = 64;

/// The secrets' names at the gateway: `<login>-<name>`. A name that is another tenant's or the platform's as well
/// is refused: secrets carry no label that says whose they are.
pub(super) fn owned(owner: &Owner, names: &[String], tenants: &Customers) -> Result<Vec<String>, Refused> {
    if names.len() > MAX_SECRETS {
        return Err(Refused(format!("a function may have {MAX_SECRETS} secrets, not {}", names.len())));
    }
    names.iter().map(|name| one(owner, name, tenants)).collect()
}

fn one(owner: &Owner, name: &str, tenants: &Customers) -> Result<String, Refused> {
    // A secret's name has the same form as a function's.
    let name: FunctionName = name.parse().map_err(|_| {
        Refused(format!("the secret {name:?} must have 1 to 63 lower-case letters, digits and inner hyphens"))
    })?;
    let full = format!("{owner}-{name}");
    if reserved::is_secret(&full) || tenants.other_claimant(owner, &full).is_some() {
        return Err(Refused(format!("the secret {name} would be {full}, which belongs to someone else: rename it")));
    }
    Ok(full)
}
