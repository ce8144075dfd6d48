//! The pages against a gateway in memory.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails in a helper fails the test")]

mod actions;
mod audit;
mod build;
mod logs;
mod seeing;
mod setup;
mod tenancy;
