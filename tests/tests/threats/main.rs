//! One test per weakness that the original is known to have, against the real platform.
//!
//! What needs no whole platform has its tests beside the part: at the door (S1 to S7 and S11 to S14) in
//! `of-router/tests/threats.rs`, of signing in (S1, S2, S8, S9, S10, S43) in `of-auth/tests`, of GitLab (S21, S22, S23, S30, S38 to S43) in the
//! tests of `gitlab-event`, `gitlab-push` and `gitlab-status`, of the audit trail (S44) in those of `audit-event`, of sealed secrets (S32, S37) in
//! those of `import-secrets` and `buildshiprun`, of the dashboard (S4, S5, S6, S8, S13, S14) in `system-dashboard/tests/pages/weaknesses.rs`, of
//! what it asks (S7) in the tests of `list-functions`, `pipeline-log`, `function-logs` and `system-metrics`, where those of queries (S14) are, too.
//!
//! S46 (old parts) is not a matter of running anything: `scripts/lint` asks `cargo deny`.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod build;
mod door;
mod pipeline;
mod tenancy;
mod webhooks;
