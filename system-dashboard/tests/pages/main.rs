//! The pages against a gateway in memory.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails in a helper fails the test")]

mod actions;
mod audit;
mod badge;
mod build;
mod down;
mod hostile;
mod logs;
mod operator;
mod seeing;
mod setup;
mod streams;
mod tenancy;
mod weaknesses;
