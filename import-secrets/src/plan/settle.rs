//! From what was opened to what is written, in the stage and in the record.

use std::collections::BTreeSet;

use sdk::secrets::SecretName;

use super::{Facts, Plan};
use crate::backend::{Candidate, Opened};
use crate::record::{Kept, KeptKey, Record};

/// What becomes of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It was not there.
    Created,
    /// Its values or its keys are others.
    Updated,
    /// Functions see what they saw before: it was sealed anew, or came back.
    Same,
}

/// One secret's part of an import.
#[derive(Debug)]
pub(crate) struct Step {
    /// The owner's name for it.
    pub(crate) secret: SecretName,
    /// As it was sealed.
    pub(crate) candidate: Candidate,
    /// The keys whose values are to be written.
    pub(crate) changed: Opened,
    /// What is to be remembered of it.
    pub(crate) kept: Kept,
    /// What becomes of it.
    pub(crate) kind: Kind,
    /// Whether the stage hears of it.
    pub(crate) written: bool,
}

impl Plan {
    /// What is to be done, now that everything is opened. `opened` has an answer for each candidate, in their order.
    pub(crate) fn settle(self, facts: &Facts<'_>, opened: Vec<Opened>, now: u64) -> Vec<Step> {
        let steps = self.open.into_iter().zip(opened);
        steps.map(|((secret, candidate), opened)| Step::new(facts, secret, candidate, opened, now)).collect()
    }
}

impl Step {
    fn new(facts: &Facts<'_>, secret: SecretName, candidate: Candidate, mut opened: Opened, now: u64) -> Self {
        let before = facts.record.secrets.get(&secret);
        let names = (facts.names)(&candidate.name, &mut candidate.sealed.keys().map(String::as_str));
        let keys = candidate.sealed.iter().map(|(key, sealed)| {
            let fresh = opened.get(key).map(|opened| (opened.print.clone(), opened.fingerprint.clone()));
            // What was not opened is as it was.
            let known = || {
                before.and_then(|kept| kept.keys.get(key)).map(|kept| (kept.print.clone(), kept.fingerprint.clone()))
            };
            let (print, fingerprint) = fresh.or_else(known).unwrap_or_default();
            (key.clone(), KeptKey { sealed: sealed.clone(), print, fingerprint })
        });
        let mut kept = Kept {
            stage: candidate.name.clone(),
            repo_id: facts.event.repo_id,
            repo: facts.event.repo.clone(),
            keys: keys.collect(),
            names,
            changed_at: now,
            leaving: false,
            unsure: false,
        };
        let sound = before.filter(|before| before.names == kept.names && before.is_sound(facts.there));
        opened.retain(|key, opened| {
            let as_before = sound.and_then(|kept| kept.keys.get(key)).is_some_and(|kept| kept.print == opened.print);
            !as_before
        });
        let kind = match before {
            None => Kind::Created,
            Some(before) if before.version() != kept.version() || before.names != kept.names => Kind::Updated,
            Some(before) => {
                kept.changed_at = before.changed_at;
                Kind::Same
            }
        };
        let moved = before.is_none_or(|before| before.repo_id != kept.repo_id);
        let written = kind != Kind::Same || !opened.is_empty() || moved;
        Self { secret, candidate, changed: opened, kept, kind, written }
    }
}

impl Record {
    /// The record after an import.
    pub(crate) fn after(&self, steps: &[Step], leaving: &BTreeSet<SecretName>) -> Self {
        let mut after = self.clone();
        for step in steps {
            let before = after.secrets.insert(step.secret.clone(), step.kept.clone());
            let Some(before) = before else { continue };
            if step.kind == Kind::Updated {
                let stale = before.names.iter().chain(&step.kept.names);
                after.stale.extend(stale.map(|name| (name.clone(), step.kept.repo_id)));
            }
            after.leaving.extend(before.names);
        }
        for name in leaving {
            if let Some(kept) = after.secrets.get_mut(name) {
                kept.leaving = true;
            }
        }
        let used: BTreeSet<String> = after.secrets.values().flat_map(|kept| kept.names.iter().cloned()).collect();
        after.leaving.retain(|name| !used.contains(name));
        after
    }
}
