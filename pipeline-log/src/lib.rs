#![doc = include_str!("../README.md")]

mod config;
mod log_key;
mod logs;
mod retention;
mod routes;

use object_store::{Directory, Place};
use sdk::{ConfigError, Env};

use config::Config;
use logs::Logs;

/// The function.
///
/// # Errors
/// When a variable or secret is missing or malformed.
pub fn router(env: &Env) -> Result<axum::Router, ConfigError> {
    let config = Config::from_env(env)?;
    let key = &config.payload_secret;
    let max_bytes = config.max_log_bytes;
    Ok(match config.place {
        Place::Directory(root) => routes::router(key, Logs::new(Directory::new(&root), max_bytes, Some(root))),
        #[cfg(feature = "s3")]
        Place::S3(bucket) => {
            let bucket = object_store::Bucket::new(*bucket).content_type("text/plain; charset=utf-8");
            routes::router(key, Logs::new(bucket, max_bytes, None))
        }
    })
}
