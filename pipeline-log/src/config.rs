//! Where logs are kept, and how long they may be.

use std::path::PathBuf;

use sdk::{ConfigError, Env, Invalid, Reader};
use secrecy::SecretString;

/// Enough for any build that people read.
const MAX_LOG_BYTES: usize = 8 * 1024 * 1024;
/// With less a log says nothing.
const MIN_LOG_BYTES: usize = 1024;

pub(crate) struct Config {
    /// Secret `payload-secret`.
    pub(crate) payload_secret: SecretString,
    /// `max_log_bytes`: the longest log of one build.
    pub(crate) max_log_bytes: usize,
    /// `log_store`.
    pub(crate) place: Place,
}

pub(crate) enum Place {
    /// `log_directory`.
    Directory(PathBuf),
    /// `s3_url` and what goes with it.
    #[cfg(feature = "s3")]
    S3(Box<crate::s3::BucketConfig>),
}

impl Config {
    pub(crate) fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let payload_secret = r.secret("payload-secret");
        let max_log_bytes = max_log_bytes(&r);
        let place = place(&r);
        r.finish()?;
        Ok(Self { payload_secret: payload_secret?, max_log_bytes: max_log_bytes?, place: place? })
    }
}

fn max_log_bytes(r: &Reader<'_>) -> Result<usize, Invalid> {
    match r.or("max_log_bytes", MAX_LOG_BYTES)? {
        bytes if bytes < MIN_LOG_BYTES => Err(r.invalid("max_log_bytes", format!("must be at least {MIN_LOG_BYTES}"))),
        bytes => Ok(bytes),
    }
}

fn place(r: &Reader<'_>) -> Result<Place, Invalid> {
    match r.or("log_store", "directory".to_owned())?.as_str() {
        "directory" => r.required("log_directory").map(Place::Directory),
        #[cfg(feature = "s3")]
        "s3" => crate::s3::BucketConfig::read(r).map(Box::new).map(Place::S3),
        #[cfg(not(feature = "s3"))]
        "s3" => Err(r.invalid("log_store", "is s3, and this program was built without the feature 's3'")),
        other => Err(r.invalid("log_store", format!("'{other}' is neither directory nor s3"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(vars: &[(&str, &str)], secrets: &[(&str, &str)]) -> Vec<String> {
        let env = Env::from_map(vars.iter().copied(), secrets.iter().copied());
        let error = Config::from_env(&env).err().unwrap();
        error.problems().iter().map(|problem| problem.name.clone()).collect()
    }

    #[test]
    fn a_directory_is_the_default_and_must_be_named() {
        assert_eq!(problems(&[], &[]), ["payload-secret", "log_directory"]);
        let env = Env::from_map([("log_directory", "/logs")], [("payload-secret", "k")]);
        assert!(matches!(Config::from_env(&env).unwrap().place, Place::Directory(path) if path.as_os_str() == "/logs"));
    }

    #[test]
    fn an_unknown_store_and_a_tiny_log_are_refused() {
        let vars = [("log_store", "tape"), ("max_log_bytes", "10")];
        assert_eq!(problems(&vars, &[("payload-secret", "k")]), ["max_log_bytes", "log_store"]);
    }

    #[cfg(feature = "s3")]
    #[test]
    fn everything_that_s3_lacks_is_named_at_once() {
        let vars = [("log_store", "s3"), ("s3_bucket", "No Bucket")];
        let named = problems(&vars, &[("payload-secret", "k")]);
        assert_eq!(named, ["s3_url", "s3_bucket", "s3-access-key", "s3-secret-key"]);
    }
}
