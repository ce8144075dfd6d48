//! Input that is wrong or hostile: one clear sentence for whoever sent it, a failed status or a 4xx, a line in the
//! audit trail, nothing left behind, and what was live goes on.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod builder;
mod failing;
mod live;
mod machine;
mod names;
mod refused;
mod size;
mod webhooks;
