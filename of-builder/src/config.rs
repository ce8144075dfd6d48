//! What the operator decides, read once at start.

use std::path::PathBuf;
use std::time::Duration;

use sdk::{ConfigError, Env, Invalid, Reader};
use secrecy::SecretString;

use crate::archive::Limits;
use crate::build_args::BuildArgs;
use crate::registry::Registry;
use crate::secrets::BuilderKey;

const MIB: u64 = 1024 * 1024;
const KEY_SECRET: &str = "builder-private-key";

/// The builder's configuration.
#[derive(Clone)]
pub struct Config {
    /// `docker_host`: the engine, `unix:///run/docker.sock` unless set; `tcp://host:port` also works.
    pub docker_host: String,
    /// Secret `payload-secret`: the key of `X-Build-Signature`.
    pub payload_secret: SecretString,
    /// Secret `builder-private-key`: opens sealed build secrets; without it an archive that has some is refused.
    pub key: Option<BuilderKey>,
    /// `max_inflight`: builds at the same time, 4 unless set; one more is answered with 429.
    pub max_inflight: usize,
    /// `build_timeout`: how long one build and its push may take, 15m unless set.
    pub build_timeout: Duration,
    /// `receive_timeout`: how long the upload of one build may take, 2m unless set.
    pub receive_timeout: Duration,
    /// `max_body_bytes`, `max_unpacked_bytes`, `max_entries`, `max_path_bytes`: what an upload may hold.
    pub limits: Limits,
    /// `build_args` (the names a caller may set), `operator_build_args` (`NAME=value,…`, set on every build),
    /// `http_proxy`, `https_proxy`, `no_proxy` (also set on every build).
    pub build_args: BuildArgs,
    /// `registry_prefix`, `docker_config`: where images are pushed; without a prefix they stay in the engine.
    pub registry: Option<Registry>,
    /// `reuse_images`: an image that the engine has under the same name, made from the very same upload, is not
    /// built again. Off unless set.
    pub reuse_images: bool,
    /// `spool_directory`: where uploads wait, the system's temporary directory unless set.
    pub spool_directory: Option<PathBuf>,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// All missing and malformed variables at once, each by its name.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let docker_host = docker_host(&r);
        let payload_secret = r.secret("payload-secret");
        let key = builder_key(&r);
        let max_inflight = at_least_one(&r, "max_inflight", 4);
        let build_timeout = r.duration_or("build_timeout", Duration::from_secs(15 * 60));
        let receive_timeout = r.duration_or("receive_timeout", Duration::from_secs(120));
        let limits = limits(&r);
        let build_args = BuildArgs::from_reader(&r);
        let registry = Registry::from_reader(&r);
        let reuse_images = r.flag("reuse_images", false);
        let spool_directory = r.optional::<PathBuf>("spool_directory");
        r.finish()?;
        Ok(Self {
            docker_host: docker_host?,
            payload_secret: payload_secret?,
            key: key?,
            max_inflight: max_inflight?,
            build_timeout: build_timeout?,
            receive_timeout: receive_timeout?,
            limits: limits?,
            build_args: build_args?,
            registry: registry?,
            reuse_images: reuse_images?,
            spool_directory: spool_directory?,
        })
    }
}

fn docker_host(r: &Reader<'_>) -> Result<String, Invalid> {
    let host = r.or("docker_host", "unix:///run/docker.sock".to_owned())?;
    if ["unix://", "tcp://", "http://"].iter().any(|scheme| host.starts_with(scheme)) {
        Ok(host)
    } else {
        Err(r.invalid("docker_host", format!("'{host}' must begin with unix://, tcp:// or http://")))
    }
}

fn builder_key(r: &Reader<'_>) -> Result<Option<BuilderKey>, Invalid> {
    let key = r.optional_secret(KEY_SECRET).map(|text| BuilderKey::parse(&text));
    key.transpose().map_err(|error| r.invalid(KEY_SECRET, error.to_string()))
}

fn at_least_one(r: &Reader<'_>, name: &str, default: usize) -> Result<usize, Invalid> {
    match r.or(name, default)? {
        0 => Err(r.invalid(name, "must be at least 1")),
        n => Ok(n),
    }
}

fn limits(r: &Reader<'_>) -> Result<Limits, Invalid> {
    let body_bytes = r.or("max_body_bytes", 256 * MIB);
    let unpacked_bytes = r.or("max_unpacked_bytes", 512 * MIB);
    let entries = at_least_one(r, "max_entries", 20_000);
    let path_bytes = at_least_one(r, "max_path_bytes", 1024);
    Ok(Limits { body_bytes: body_bytes?, unpacked_bytes: unpacked_bytes?, entries: entries?, path_bytes: path_bytes? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_VARS: [(&str, &str); 0] = [];

    #[test]
    fn defaults_hold_where_nothing_is_set() {
        let config = Config::from_env(&Env::from_map(NO_VARS, [("payload-secret", "k")])).unwrap();
        assert_eq!(config.max_inflight, 4);
        assert_eq!(config.build_timeout, Duration::from_secs(900));
        assert_eq!(config.docker_host, "unix:///run/docker.sock");
        assert!(config.registry.is_none() && config.key.is_none());
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let vars = [
            ("max_inflight", "0"),
            ("docker_host", "docker.sock"),
            ("build_timeout", "soon"),
            ("operator_build_args", "1X"),
            ("registry_prefix", "Not A Name"),
        ];
        let error = Config::from_env(&Env::from_map(vars, NO_VARS)).err().unwrap();
        let names: Vec<_> = error.problems().iter().map(|problem| problem.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "docker_host",
                "payload-secret",
                "max_inflight",
                "build_timeout",
                "operator_build_args",
                "registry_prefix"
            ]
        );
    }
}
