//! Where logs are kept, and how long they may be.

use std::time::Duration;

use object_store::{Place, Variables};
use sdk::{ConfigError, Env, Invalid, Reader};
use secrecy::SecretString;
use tokio::sync::Semaphore;

use crate::packed::MAX_LOG;

/// More than builds write that do what they should. As much as `buildshiprun` sends.
const MAX_LOG_BYTES: usize = 64 * 1024 * 1024;
/// With less a log says nothing.
const MIN_LOG_BYTES: usize = 1024;
const PLACE: Variables = Variables { store: "log_store", directory: "log_directory", bucket: "pipeline" };

pub(crate) struct Config {
    /// Secret `payload-secret`.
    pub(crate) payload_secret: SecretString,
    /// `max_log_bytes`: the longest log of one build.
    pub(crate) max_log_bytes: usize,
    /// `max_followers`: so many may follow logs at the same time.
    pub(crate) max_followers: usize,
    /// `follow_timeout`: the longest that one may.
    pub(crate) follow_timeout: Duration,
    /// `log_store`, with `log_directory`, or `s3_url` and what goes with it.
    pub(crate) place: Place,
}

impl Config {
    pub(crate) fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let payload_secret = r.secret("payload-secret");
        let max_log_bytes = max_log_bytes(&r);
        let max_followers = r.or("max_followers", 500usize);
        let follow_timeout = r.duration_or("follow_timeout", Duration::from_secs(3600));
        let place = Place::read(&r, PLACE);
        r.finish()?;
        Ok(Self {
            payload_secret: payload_secret?,
            max_log_bytes: max_log_bytes?,
            max_followers: max_followers?.min(Semaphore::MAX_PERMITS),
            follow_timeout: follow_timeout?,
            place: place?,
        })
    }
}

fn max_log_bytes(r: &Reader<'_>) -> Result<usize, Invalid> {
    match r.or("max_log_bytes", MAX_LOG_BYTES)? {
        bytes if bytes < MIN_LOG_BYTES => Err(r.invalid("max_log_bytes", format!("must be at least {MIN_LOG_BYTES}"))),
        bytes if bytes > MAX_LOG => Err(r.invalid("max_log_bytes", format!("must be at most {MAX_LOG}"))),
        bytes => Ok(bytes),
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

    #[test]
    fn a_log_longer_than_can_be_packed_is_refused() {
        let vars = [("log_directory", "/logs"), ("max_log_bytes", "1073741825"), ("follow_timeout", "soon")];
        assert_eq!(problems(&vars, &[("payload-secret", "k")]), ["max_log_bytes", "follow_timeout"]);
    }

    #[cfg(feature = "s3")]
    #[test]
    fn everything_that_s3_lacks_is_named_at_once() {
        let vars = [("log_store", "s3"), ("s3_bucket", "No Bucket")];
        let named = problems(&vars, &[("payload-secret", "k")]);
        assert_eq!(named, ["s3_url", "s3_bucket", "s3-access-key", "s3-secret-key"]);
    }
}
