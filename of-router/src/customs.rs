//! Hosts outside of the platform's domain, and the function that each of them shows. Pure.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use sdk::id::{FunctionName, Owner, OwnerId, ServiceName};

use crate::domain::{self, Domain, Place};

/// The most hosts that one function may ask for.
pub(crate) const MAX_PER_FUNCTION: usize = 20;
/// The most hosts that are looked up for all functions together.
pub(crate) const MAX_CLAIMED: usize = 1000;
/// How the text of a DNS record that names an owner begins.
const RECORD: &str = "ofc-owner=";

/// What a host shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Custom {
    pub(crate) owner: Owner,
    pub(crate) service: ServiceName,
    /// Who the owner has to be, where a DNS record says so and not the operator.
    pub(crate) proven: Option<OwnerId>,
}

/// All hosts by name.
pub(crate) type Customs = HashMap<String, Custom>;

/// Hosts that the operator gives to functions: `www.alice.com=alice/shop,…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomDomains(BTreeMap<String, (Owner, ServiceName)>);

/// Text that gives no host to a function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{part}' has to be of the form host=owner/function, with each host once")]
pub struct InvalidCustomDomain {
    part: String,
}

impl FromStr for CustomDomains {
    type Err = InvalidCustomDomain;

    fn from_str(text: &str) -> Result<Self, InvalidCustomDomain> {
        let mut all = BTreeMap::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (host, target) = one(part).ok_or_else(|| InvalidCustomDomain { part: part.to_owned() })?;
            if all.insert(host, target).is_some() {
                return Err(InvalidCustomDomain { part: part.to_owned() });
            }
        }
        Ok(Self(all))
    }
}

impl CustomDomains {
    /// The first host that is the platform's own, which no function can have.
    pub(crate) fn within(&self, domain: &Domain) -> Option<&str> {
        self.0.keys().find(|host| domain::place(domain, host) != Place::Elsewhere).map(String::as_str)
    }

    /// As a table.
    pub(crate) fn table(&self) -> Customs {
        let custom = |(host, (owner, service)): (&String, &(Owner, ServiceName))| {
            (host.clone(), Custom { owner: owner.clone(), service: service.clone(), proven: None })
        };
        self.0.iter().map(custom).collect()
    }
}

fn one(part: &str) -> Option<(String, (Owner, ServiceName))> {
    let (host, target) = part.split_once('=')?;
    let host = host.trim().to_ascii_lowercase();
    let (owner, function) = target.trim().split_once('/')?;
    let (owner, function) = (owner.parse::<Owner>().ok()?, function.parse::<FunctionName>().ok()?);
    let service = ServiceName::of(&owner, &function).ok()?;
    let free = !sdk::reserved::is_login(&owner) && !sdk::reserved::is_function(&service);
    (domain::is_name(&host) && free).then_some((host, (owner, service)))
}

/// A function that asks for hosts by its annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) owner: Owner,
    pub(crate) id: OwnerId,
    pub(crate) service: ServiceName,
    pub(crate) hosts: Vec<String>,
}

/// The hosts that an annotation asks for; what is none, or the platform's own, is left out.
pub(crate) fn claimed(domain: &Domain, annotation: &str) -> Vec<String> {
    let hosts = annotation.split(',').map(|host| host.trim().to_ascii_lowercase());
    let fine = |host: &String| domain::is_name(host) && domain::place(domain, host) == Place::Elsewhere;
    hosts.filter(fine).take(MAX_PER_FUNCTION).collect()
}

/// What the records at a host say: the one owner that they name.
pub(crate) fn named_owner<'a>(records: impl Iterator<Item = &'a str>) -> Option<OwnerId> {
    let mut named = records.filter_map(|text| text.trim().strip_prefix(RECORD)).map(owner_id);
    let first = named.next()??;
    // Two owners are no clear word.
    named.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

fn owner_id(text: &str) -> Option<OwnerId> {
    let (host, id) = text.split_once('/')?;
    let id = id.parse().ok().filter(|id| *id != 0)?;
    let host = host.to_ascii_lowercase();
    (!host.is_empty()).then_some(OwnerId { host, id })
}

/// The table: what the operator gives, and what functions ask for where the owner that DNS names is theirs.
/// Of two functions of one owner, the first by name has the host.
pub(crate) fn table(given: &CustomDomains, claims: &[Claim], owner: impl Fn(&str) -> Option<OwnerId>) -> Customs {
    let mut table = Customs::new();
    let mut sorted: Vec<&Claim> = claims.iter().collect();
    sorted.sort_by(|a, b| a.service.cmp(&b.service));
    for claim in sorted {
        for host in &claim.hosts {
            let named = owner(host).filter(|named| names(named, &claim.id));
            if let Some(proven) = named.filter(|_| !table.contains_key(host)) {
                let (owner, service) = (claim.owner.clone(), claim.service.clone());
                table.insert(host.clone(), Custom { owner, service, proven: Some(proven) });
            }
        }
    }
    table.extend(given.table());
    table
}

/// Whether a record names this owner. A label may hold another form of the host (`sdk::labels::value`).
pub(crate) fn names(record: &OwnerId, labelled: &OwnerId) -> bool {
    record.id == labelled.id && record.id != 0 && sdk::labels::value(&record.host) == labelled.host.as_str()
}

impl fmt::Display for CustomDomains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<&str> = self.0.keys().map(String::as_str).collect();
        f.write_str(&hosts.join(","))
    }
}

#[cfg(test)]
mod tests;
