//! What the audit trail hears: names and numbers of keys, never a value.

use std::collections::BTreeSet;

use sdk::secrets::{Pruned, SecretName};

use crate::plan::{Kind, Step};

/// More names would make a line longer than the trail keeps; a name has 63 characters at most.
const NAMES_IN_LINE: usize = 30;

/// What an import did, in as many lines as it takes.
pub(crate) fn imported(steps: &[Step], leaving: &BTreeSet<SecretName>) -> Vec<String> {
    let of = |kind: Kind| steps.iter().filter(move |step| step.kind == kind).map(counted).collect::<Vec<_>>();
    let moved: Vec<_> =
        steps.iter().filter(|step| step.kind == Kind::Same).map(|step| step.secret.to_string()).collect();
    let leaving: Vec<_> = leaving.iter().map(ToString::to_string).collect();
    [
        lines("secrets made", &of(Kind::Created)),
        lines("secrets changed", &of(Kind::Updated)),
        lines("secrets sealed anew or taken over, with the same values", &moved),
        lines("secrets that are in no file any more", &leaving),
    ]
    .concat()
}

/// What was removed and what stays.
pub(crate) fn pruned(pruned: &Pruned) -> Vec<String> {
    let names = |names: Vec<&SecretName>| names.into_iter().map(ToString::to_string).collect::<Vec<_>>();
    let removed = lines("secrets removed", &names(pruned.removed.iter().collect()));
    let in_use = lines(
        "secrets that are in no file any more and stay, for functions mount them",
        &names(pruned.in_use.keys().collect()),
    );
    [removed, in_use].concat()
}

fn counted(step: &Step) -> String {
    let keys = step.kept.keys.len();
    format!("{} ({keys} {})", step.secret, if keys == 1 { "key" } else { "keys" })
}

fn lines(what: &str, names: &[String]) -> Vec<String> {
    names.chunks(NAMES_IN_LINE).map(|names| format!("{what}: {}", names.join(", "))).collect()
}
