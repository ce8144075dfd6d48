#![doc = include_str!("../README.md")]

mod access_log;
mod body;
mod config;
mod connection;
mod contract;
mod deadline;
mod env;
mod health;
mod in_flight;
mod lock_file;
mod logging;
mod metrics;
mod panics;
mod protocol;
mod record;
mod request_body;
mod run;
mod serve;
mod shutdown;
mod socket;

pub use config::Config;
pub use env::{ConfigError, DEFAULT_SECRET_MOUNT_PATH, Env, Invalid, Problem, Reader, parse_duration};
pub use run::run;
pub use secrecy::{ExposeSecret, SecretString};
pub use serve::{Listeners, ServeError, serve};
