#![doc = include_str!("../README.md")]

mod config;
mod directory;
mod log_key;
mod logs;
mod retention;
mod routes;
#[cfg(feature = "s3")]
mod s3;
mod store;

use sdk::{ConfigError, Env};

use config::{Config, Place};
use directory::Directory;

/// The function.
///
/// # Errors
/// When a variable or secret is missing or malformed.
pub fn router(env: &Env) -> Result<axum::Router, ConfigError> {
    let config = Config::from_env(env)?;
    let key = &config.payload_secret;
    let max_bytes = config.max_log_bytes;
    Ok(match config.place {
        Place::Directory(root) => routes::router(key, Directory::new(root), max_bytes),
        #[cfg(feature = "s3")]
        Place::S3(bucket) => routes::router(key, s3::Bucket::new(*bucket), max_bytes),
    })
}
