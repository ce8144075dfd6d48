//! What must hold for secrets in repositories, with one test or more for each rule, against the whole function and a gateway
//! that keeps secrets. Rule 2 (which branches count) is `github-push`'s and `gitlab-push`'s.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod setup;

mod bad_input;
mod builds;
mod failures;
mod healing;
mod public;
mod r01_secrets_only;
mod r03_prefix;
mod r04_all_or_nothing;
mod r05_waiting;
mod r06_changes;
mod r07_first_owner_keeps;
mod r08_removal;
mod r09_silence;
mod r10_many_repositories;
mod start;
mod threats;
mod withdrawal;
