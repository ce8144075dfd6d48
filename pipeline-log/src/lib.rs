#![doc = include_str!("../README.md")]

mod config;
mod follow;
mod log_key;
mod logs;
mod outline;
mod packed;
mod reading;
mod record_key;
mod records;
mod rest;
mod retention;
mod routes;
mod topics;

use object_store::{Directory, Place, Store};
use sdk::{ConfigError, Env};

use config::Config;
use logs::Logs;
use records::Records;

/// The function.
///
/// # Errors
/// When a variable or secret is missing or malformed.
pub fn router(env: &Env) -> Result<axum::Router, ConfigError> {
    let config = Config::from_env(env)?;
    Ok(match &config.place {
        Place::Directory(root) => over(Directory::new(root), Some(root.clone()), &config),
        #[cfg(feature = "s3")]
        Place::S3(bucket) => over(object_store::Bucket::new((**bucket).clone()), None, &config),
    })
}

fn over<S: Store + Clone>(store: S, directory: Option<std::path::PathBuf>, config: &Config) -> axum::Router {
    let logs = Logs::new(store.clone(), config.max_log_bytes, directory, config.max_followers);
    routes::router(&config.payload_secret, logs, Records::new(store), config.follow_timeout)
}
