//! The rules for secrets where a Kubernetes cluster keeps them, as far as they differ there from a gateway's: against the
//! whole function, an API server in memory that keeps versions as Kubernetes does, and a controller that really opens.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod api;
mod cluster;
mod operator;
#[allow(dead_code, reason = "shared with the tests of the rules, which use all of it")]
#[path = "../rules/setup.rs"]
mod setup;
mod stage;

mod builds;
mod connection;
mod controller;
mod failures;
mod ownership;
mod secrets;
mod silence;
