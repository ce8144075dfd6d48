//! What an import is to do. Rules without any I/O: who may name a secret how, whose it is, what changes.

mod refusal;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use sdk::event::PushEvent;
use sdk::secrets::SecretName;
use sealed_secrets::SealedSecret;

pub(crate) use self::refusal::Refusal;
pub(crate) use self::settle::{Kind, Step};
use crate::backend::Candidate;
use crate::names;
use crate::record::Record;

/// An owner has at most so many secrets, all repositories together.
const MAX_SECRETS: usize = 1000;
/// An owner's sealed values have at most so many characters, all repositories together.
const MAX_SEALED: usize = 8 * 1024 * 1024;
/// Kubernetes' own annotations for a wider scope than one secret in one namespace.
const WIDER: [&str; 2] = ["sealedsecrets.bitnami.com/cluster-wide", "sealedsecrets.bitnami.com/namespace-wide"];

/// What the rules look at.
pub(crate) struct Facts<'a> {
    /// The push.
    pub(crate) event: &'a PushEvent,
    /// The namespace that this stage's functions are in.
    pub(crate) namespace: &'a str,
    /// What is remembered of the owner's secrets.
    pub(crate) record: &'a Record,
    /// All names that are in the stage.
    pub(crate) there: &'a BTreeSet<String>,
    /// Whether a name in the stage belongs to the platform or to another tenant.
    pub(crate) claimed: &'a (dyn Fn(&str) -> bool + Sync),
    /// The names that a secret with these keys has in the stage.
    pub(crate) names: &'a (dyn Fn(&str, &mut dyn Iterator<Item = &str>) -> BTreeSet<String> + Sync),
}

/// An import before anything is opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// What has to be opened: a secret that is new, sealed anew, or not in the stage as it was left there.
    pub(crate) open: BTreeMap<SecretName, Candidate>,
    /// Those of the file that are as they were.
    pub(crate) unchanged: BTreeSet<SecretName>,
    /// Those of the repository that are not in its file any more.
    pub(crate) leaving: BTreeSet<SecretName>,
    /// Keys of all secrets of the file.
    pub(crate) keys: usize,
}

impl Plan {
    /// What a file of these documents is to do.
    ///
    /// # Errors
    /// When one of them breaks a rule: then none of them is imported.
    pub(crate) fn make(facts: &Facts<'_>, documents: &[SealedSecret]) -> Result<Self, Refusal> {
        let mut plan = Self { open: BTreeMap::new(), unchanged: BTreeSet::new(), leaving: BTreeSet::new(), keys: 0 };
        let held = facts.record.held();
        for document in documents {
            let secret = admit(facts, &held, document)?;
            if plan.open.contains_key(&secret) || plan.unchanged.contains(&secret) {
                return Err(Refusal::Twice(document.name.clone()));
            }
            plan.keys += document.encrypted_data.len();
            match candidate(facts, &secret, document) {
                Some(candidate) => drop(plan.open.insert(secret, candidate)),
                None => drop(plan.unchanged.insert(secret)),
            }
        }
        let own = facts.record.secrets.iter().filter(|(_, kept)| kept.repo_id == facts.event.repo_id && !kept.leaving);
        let gone = own.filter(|(name, _)| !plan.open.contains_key(*name) && !plan.unchanged.contains(*name));
        plan.leaving = gone.map(|(name, _)| name.clone()).collect();
        plan.check_size(facts.record)?;
        Ok(plan)
    }

    fn check_size(&self, record: &Record) -> Result<(), Refusal> {
        let others = || record.secrets.iter().filter(|(name, _)| !self.open.contains_key(*name));
        if others().count() + self.open.len() > MAX_SECRETS {
            return Err(Refusal::TooMany(MAX_SECRETS));
        }
        let sealed = others().flat_map(|(_, kept)| kept.keys.values()).map(|key| key.sealed.len());
        let new = self.open.values().flat_map(|candidate| candidate.sealed.values()).map(String::len);
        if sealed.chain(new).sum::<usize>() > MAX_SEALED {
            return Err(Refusal::TooLarge(MAX_SEALED));
        }
        Ok(())
    }
}

/// The owner's name of a document that may be imported.
fn admit(facts: &Facts<'_>, held: &BTreeSet<String>, document: &SealedSecret) -> Result<SecretName, Refusal> {
    let Facts { event, namespace, record, .. } = *facts;
    let name = &document.name;
    let secret = names::own(&event.owner, name)
        .ok_or_else(|| Refusal::Name { name: name.clone(), owner: event.owner.clone() })?;
    if document.namespace != namespace {
        let (found, wanted) = (document.namespace.clone(), namespace.to_owned());
        return Err(Refusal::Namespace { name: name.clone(), found, wanted });
    }
    let wider = |annotations: &BTreeMap<String, String>| WIDER.iter().any(|wider| annotations.contains_key(*wider));
    if wider(&document.annotations) || wider(&document.template_annotations) {
        return Err(Refusal::Scope(name.clone()));
    }
    if document.encrypted_data.is_empty() {
        return Err(Refusal::Empty(name.clone()));
    }
    if let Some(key) = document.encrypted_data.keys().find(|key| !names::is_key(key)) {
        return Err(Refusal::Key { name: name.clone(), key: key.clone() });
    }
    if (facts.claimed)(name) {
        return Err(Refusal::Claimed(name.clone()));
    }
    match record.secrets.get(&secret) {
        // One that leaves is free for the owner's other repositories.
        Some(kept) if kept.repo_id != event.repo_id && !kept.leaving => {
            Err(Refusal::Held { name: name.clone(), repo: kept.repo.clone() })
        }
        _ => not_made_by_hand(facts, held, document).map(|()| secret),
    }
}

/// What is in the stage under a name that the record does not have is somebody else's.
fn not_made_by_hand(facts: &Facts<'_>, held: &BTreeSet<String>, document: &SealedSecret) -> Result<(), Refusal> {
    let mut keys = document.encrypted_data.keys().map(String::as_str);
    let names = (facts.names)(&document.name, &mut keys);
    // Also the plain name where there is one for each key: functions would see two secrets in one.
    let mut names = names.iter().chain([&document.name]);
    match names.find(|name| facts.there.contains(*name) && !held.contains(*name)) {
        Some(name) => Err(Refusal::ByHand(name.clone())),
        None => Ok(()),
    }
}

/// The secret with the keys that have to be opened; `None` where all is as it was. A secret that leaves and comes back,
/// or comes to another repository, is a candidate of which nothing may have to be opened.
fn candidate(facts: &Facts<'_>, secret: &SecretName, document: &SealedSecret) -> Option<Candidate> {
    let sealed = &document.encrypted_data;
    let names = (facts.names)(&document.name, &mut sealed.keys().map(String::as_str));
    let kept = facts.record.secrets.get(secret);
    // With another set of keys, a value may be under another name than before.
    let sound = kept.filter(|kept| kept.stage == document.name && kept.names == names && kept.is_sound(facts.there));
    let same = |key: &str, text: &str| sound?.keys.get(key).filter(|kept| kept.sealed == text);
    let wanted = sealed.iter().filter(|(key, text)| same(key, text).is_none());
    let wanted: BTreeSet<_> = wanted.map(|(key, _)| key.clone()).collect();
    let settled = sound
        .is_some_and(|kept| !kept.leaving && kept.repo_id == facts.event.repo_id && kept.keys.len() == sealed.len());
    let candidate = Candidate { name: document.name.clone(), sealed: sealed.clone(), wanted };
    (!settled || !candidate.wanted.is_empty()).then_some(candidate)
}
