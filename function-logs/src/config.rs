//! What the operator decides.

use std::time::Duration;

use object_store::{Place, Variables};
use sdk::call::Functions;
use sdk::gateway::Gateway;
use sdk::{ConfigError, Env, Invalid, Reader};

const PLACE: Variables =
    Variables { store: "function_log_store", directory: "function_log_directory", bucket: "function-logs" };
/// What is kept of one owner's functions.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// With less than a few objects, hardly anything would stay.
const MIN_BYTES: u64 = 1024 * 1024;
/// Our gateway lets 128 logs be read at the same time, and others want some of them.
const FOLLOWED: usize = 64;
const MAX_FOLLOWED: usize = 1000;
const INTERVAL: Duration = Duration::from_secs(5);

pub(crate) struct Config {
    /// `gateway_url` and the secret `payload-secret`.
    pub(crate) functions: Functions,
    /// `gateway_url` and the secrets `basic-auth-user` and `basic-auth-password`.
    pub(crate) gateway: Gateway,
    /// `function_log_store`, with `function_log_directory`, or `s3_url` and what goes with it.
    pub(crate) place: Place,
    /// How logs are collected.
    pub(crate) limits: Limits,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// `function_log_max_bytes`: what is kept of one owner's functions, packed.
    pub(crate) max_bytes: u64,
    /// `function_log_followed`: how many functions are followed at the same time; the others are read in turns.
    pub(crate) followed: usize,
    /// `function_log_interval`: how often one looks which functions there are, and keeps what was read.
    pub(crate) interval: Duration,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let functions = Functions::read(&r);
        let gateway = Gateway::read(&r);
        let place = Place::read(&r, PLACE);
        let limits = Limits::read(&r);
        r.finish()?;
        Ok(Self { functions: functions?, gateway: gateway?, place: place?, limits: limits? })
    }
}

impl Limits {
    fn read(r: &Reader<'_>) -> Result<Self, Invalid> {
        let max_bytes = match r.or("function_log_max_bytes", MAX_BYTES) {
            Ok(bytes) if bytes < MIN_BYTES => {
                Err(r.invalid("function_log_max_bytes", format!("must be at least {MIN_BYTES}")))
            }
            other => other,
        };
        let followed = match r.or("function_log_followed", FOLLOWED) {
            Ok(0 | MAX_FOLLOWED..) => {
                Err(r.invalid("function_log_followed", format!("must be between 1 and {}", MAX_FOLLOWED - 1)))
            }
            other => other,
        };
        let interval = match r.duration_or("function_log_interval", INTERVAL) {
            Ok(Duration::ZERO) => Err(r.invalid("function_log_interval", "must be more than nothing")),
            other => other,
        };
        Ok(Self { max_bytes: max_bytes?, followed: followed?, interval: interval? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(vars: &[(&str, &str)]) -> Vec<String> {
        let secrets = [("payload-secret", "k"), ("basic-auth-user", "u"), ("basic-auth-password", "p")];
        let env = Env::from_map(vars.iter().copied(), secrets);
        let error = Config::read(&env).err().unwrap();
        error.problems().iter().map(|problem| problem.name.clone()).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        assert_eq!(problems(&[]), ["gateway_url", "gateway_url", "function_log_directory"]);
        let wrong = [
            ("gateway_url", "http://gateway:8080"),
            ("function_log_store", "tape"),
            ("function_log_max_bytes", "10"),
            ("function_log_followed", "0"),
            ("function_log_interval", "0s"),
        ];
        let named = problems(&wrong);
        assert_eq!(
            named,
            ["function_log_store", "function_log_max_bytes", "function_log_followed", "function_log_interval"]
        );
    }
}
