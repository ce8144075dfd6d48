//! The REST interface, as the platform, the App and an owner use it.
#![expect(clippy::unwrap_used, reason = "test helpers")]

#[path = "../support/mod.rs"]
mod support;

mod checks;
mod contents;
mod deliveries;
mod deployments;
mod installations;
mod place;
mod repositories;
mod shapes;
mod tokens;
