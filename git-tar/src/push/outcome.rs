//! How a push ended, when it did not fail.

use std::time::Duration;

use sdk::id::CommitSha;
use sdk::secrets::{Done, Pruned, SecretName};

use crate::plan::{Action, Work};

/// How a push ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// All functions are live, or there were only secrets, and they are kept.
    Deployed(String),
    /// There was nothing to do; the sentence says why.
    Nothing(String),
}

impl Outcome {
    pub(super) fn superseded(by: &CommitSha) -> Self {
        Self::Nothing(format!("superseded by {}", by.short()))
    }
}

/// How many functions need what.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    build: usize,
    reuse: usize,
    redeploy: usize,
    wait: usize,
    unchanged: usize,
}

impl Counts {
    pub(super) fn of(work: &[Work]) -> Self {
        let mut counts = Self::default();
        for one in work {
            match one.action {
                _ if !one.missing.is_empty() => counts.wait += 1,
                Action::Build(..) => counts.build += 1,
                Action::Redeploy(_) => counts.redeploy += 1,
                Action::Unchanged => counts.unchanged += 1,
            }
        }
        counts
    }

    /// So many that were to be built were not: there were images of the same files.
    pub(super) fn reused(self, count: usize) -> Self {
        let count = count.min(self.build);
        Self { build: self.build - count, reuse: self.reuse + count, ..self }
    }

    fn all(self) -> String {
        match self.build + self.reuse + self.redeploy + self.wait + self.unchanged {
            1 => "1 function".to_owned(),
            count => format!("{count} functions"),
        }
    }

    fn parts(self, build: &str, redeploy: &str) -> String {
        let parts = [
            (self.build, build),
            (self.reuse, "taken from an earlier build"),
            (self.redeploy, redeploy),
            (self.wait, if self.wait == 1 { "waits for a secret" } else { "wait for secrets" }),
            (self.unchanged, "unchanged"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// `3 functions: 1 to build, 2 unchanged`.
    pub(super) fn before(self) -> String {
        format!("{}: {}", self.all(), self.parts("to build", "to redeploy"))
    }

    /// `Deployed 3 functions in 4.1 s (1 built, 2 unchanged)`.
    pub(super) fn after(self, took: Duration) -> String {
        let parts = self.parts("built", "redeployed");
        let parts = if parts.is_empty() { parts } else { format!(" ({parts})") };
        format!("Deployed {} in {:.1} s{parts}", self.all(), took.as_secs_f64())
    }
}

/// `imported 2 secrets (5 keys), removed db`: names and numbers, never a value.
pub(super) fn imported(done: Done, pruned: &Pruned) -> String {
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let secrets = count(done.created + done.updated + done.unchanged, "secret");
    let mut sentence = format!("imported {secrets} ({})", count(done.keys, "key"));
    if !pruned.removed.is_empty() {
        sentence.push_str(&format!(", {}", removed(pruned)));
    }
    sentence
}

/// `removed db, old`.
pub(super) fn removed(pruned: &Pruned) -> String {
    let removed: Vec<&str> = pruned.removed.iter().map(SecretName::as_str).collect();
    format!("removed {}", removed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_counted_and_what_went_is_named() {
        let done = Done { created: 1, unchanged: 1, keys: 5, ..Done::default() };
        assert_eq!(imported(done, &Pruned::default()), "imported 2 secrets (5 keys)");
        let removed = ["db", "old"].map(|name| name.parse().unwrap()).into();
        let done = Done { updated: 1, keys: 1, leaving: 2, ..Done::default() };
        let pruned = Pruned { removed, ..Pruned::default() };
        assert_eq!(imported(done, &pruned), "imported 1 secret (1 key), removed db, old");
    }

    #[test]
    fn sentences_count_what_there_is() {
        let counts = Counts { build: 1, unchanged: 2, ..Counts::default() };
        assert_eq!(counts.before(), "3 functions: 1 to build, 2 unchanged");
        assert_eq!(counts.after(Duration::from_millis(4_100)), "Deployed 3 functions in 4.1 s (1 built, 2 unchanged)");
        let reused = Counts { build: 3, ..Counts::default() }.reused(2);
        let sentence = "Deployed 3 functions in 1.0 s (1 built, 2 taken from an earlier build)";
        assert_eq!(reused.after(Duration::from_secs(1)), sentence);
        let one = Counts { redeploy: 1, ..Counts::default() };
        assert_eq!(one.before(), "1 function: 1 to redeploy");
        let waiting = Counts { wait: 1, ..counts };
        assert_eq!(waiting.before(), "4 functions: 1 to build, 1 waits for a secret, 2 unchanged");
        assert_eq!(Counts::default().after(Duration::ZERO), "Deployed 0 functions in 0.0 s");
    }
}
