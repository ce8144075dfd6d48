//! git-tar against real repositories behind `git http-backend`, and a gateway that keeps state.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod claims;
mod contexts;
mod figures;
mod flow;
mod gate;
mod git_host;
mod git_server;
mod keeper;
mod lab;
mod overlaps;
mod pinned;
mod private;
mod records;
mod refusals;
mod restart;
mod secrets;
mod statuses;
mod submodules;
mod templates;
