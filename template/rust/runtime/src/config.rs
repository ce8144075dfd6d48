//! The variables of the container contract, read once at start.

use std::path::PathBuf;
use std::time::Duration;

use crate::env::{ConfigError, Env, Reader};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How the function is served. `docs/template-rust.md` lists every variable with its default.
#[derive(Debug, Clone)]
pub struct Config {
    /// `port`: where requests are answered.
    pub port: u16,
    /// `metrics_port`: where `/metrics` is answered.
    pub metrics_port: u16,
    /// `max_inflight`: more requests at once than this are answered 429. `None` (0) is no limit.
    pub max_inflight: Option<usize>,
    /// `max_connections`: open sockets, web sockets included. At the limit no more are accepted.
    pub max_connections: u32,
    /// `exec_timeout`: how long one request may take, its response body included. `None` (0) is no limit.
    pub exec_timeout: Option<Duration>,
    /// `read_timeout`: how long a client may take over a request's head, pause within its body, or stay idle.
    pub read_timeout: Duration,
    /// `write_timeout`: how long a client may leave a response unread, and how long a stop may take.
    pub write_timeout: Duration,
    /// `healthcheck_interval`: how long new requests are still answered after a stop was asked for.
    pub healthcheck_interval: Duration,
    /// The lock file's path; `None` where `suppress_lock` is on.
    pub lock_file: Option<PathBuf>,
    /// `ready_path`: which path of the function answers `/_/ready`.
    pub ready_path: Option<String>,
    /// `access_log`: whether each request is logged.
    pub access_log: bool,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// Names every variable whose value is malformed.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let reader = env.reader();
        let port = reader.or("port", 8080);
        let metrics_port = reader.or("metrics_port", 8081);
        let max_inflight = reader.or("max_inflight", 0_usize);
        let max_connections = positive(&reader, "max_connections", 4096);
        let exec_timeout = reader.duration_or("exec_timeout", DEFAULT_TIMEOUT);
        let read_timeout = reader.duration_or("read_timeout", DEFAULT_TIMEOUT);
        let write_timeout = reader.duration_or("write_timeout", DEFAULT_TIMEOUT);
        let healthcheck_interval = reader.duration_or("healthcheck_interval", Duration::ZERO);
        let suppress_lock = reader.flag("suppress_lock", false);
        let ready_path = ready_path(&reader);
        let access_log = reader.flag("access_log", true);
        if let (Ok(port), Ok(metrics)) = (port, metrics_port)
            && port == metrics
            && port != 0
        {
            reader.invalid("metrics_port", format!("is {metrics}, which is also the value of port"));
        }
        for (name, timeout) in [("read_timeout", read_timeout), ("write_timeout", write_timeout)] {
            if timeout.is_ok_and(|timeout| timeout.is_zero()) {
                reader.invalid(name, "must be longer than 0");
            }
        }
        reader.finish()?;
        Ok(Self {
            port: port?,
            metrics_port: metrics_port?,
            max_inflight: Some(max_inflight?).filter(|limit| *limit > 0),
            max_connections: max_connections?,
            exec_timeout: Some(exec_timeout?).filter(|limit| !limit.is_zero()),
            read_timeout: read_timeout?,
            write_timeout: write_timeout?,
            healthcheck_interval: healthcheck_interval?,
            lock_file: (!suppress_lock?).then(|| lock_path(env)),
            ready_path: ready_path?,
            access_log: access_log?,
        })
    }
}

/// The path of the lock file: `.lock` in the folder for temporary files.
pub(crate) fn lock_path(env: &Env) -> PathBuf {
    PathBuf::from(env.var("TMPDIR").unwrap_or("/tmp")).join(".lock")
}

fn positive(reader: &Reader<'_>, name: &str, default: u32) -> Result<u32, crate::Invalid> {
    let number = reader.or(name, default)?;
    if number == 0 {
        Err(reader.invalid(name, "must be at least 1"))
    } else {
        Ok(number)
    }
}

fn ready_path(reader: &Reader<'_>) -> Result<Option<String>, crate::Invalid> {
    let path = reader.optional::<String>("ready_path")?;
    match path {
        Some(path) if !path.starts_with('/') || path.parse::<http::uri::PathAndQuery>().is_err() => {
            Err(reader.invalid("ready_path", format!("'{path}' is not a path that begins with /")))
        }
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_env(&Env::from_map(vars.iter().copied(), [] as [(&str, &str); 0]))
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let config = read(&[]).unwrap();
        assert_eq!((config.port, config.metrics_port), (8080, 8081));
        assert_eq!(config.max_inflight, None);
        assert_eq!(config.exec_timeout, Some(Duration::from_secs(30)));
        assert_eq!(config.healthcheck_interval, Duration::ZERO);
        assert_eq!(config.lock_file, Some(PathBuf::from("/tmp/.lock")));
        assert!(config.access_log);
    }

    #[test]
    fn every_bad_value_is_named() {
        let error = read(&[
            ("port", "http"),
            ("max_connections", "0"),
            ("exec_timeout", "soon"),
            ("read_timeout", "0s"),
            ("ready_path", "ready"),
            ("suppress_lock", "maybe"),
        ])
        .unwrap_err();
        let names: Vec<_> = error.problems().iter().map(|problem| problem.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "port",
                "max_connections",
                "exec_timeout",
                "suppress_lock",
                "ready_path",
                "read_timeout"
            ]
        );
    }

    #[test]
    fn one_port_cannot_serve_both() {
        let error = read(&[("metrics_port", "8080")]).unwrap_err();
        assert_eq!(error.problems()[0].reason, "is 8080, which is also the value of port");
    }

    #[test]
    fn zero_turns_the_limits_off() {
        let config = read(&[("exec_timeout", "0"), ("max_inflight", "0"), ("suppress_lock", "true")]).unwrap();
        assert_eq!(
            (config.exec_timeout, config.max_inflight, config.lock_file),
            (None, None, None)
        );
    }

    #[test]
    fn the_lock_file_follows_the_folder_for_temporary_files() {
        assert_eq!(
            read(&[("TMPDIR", "/scratch")]).unwrap().lock_file,
            Some(PathBuf::from("/scratch/.lock"))
        );
    }
}
