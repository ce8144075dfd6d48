//! What the gateway is told at its start.

use std::path::PathBuf;
use std::time::Duration;

use openfaas_runtime::{ConfigError, Env, Invalid, Reader};
use secrecy::SecretString;

pub use crate::engine::{BlockedNetwork, Isolation, IsolationMode, PullPolicy, RegistryCredentials};
use crate::engine::{cpu, memory};
pub use crate::functions::PlatformFunction;
use crate::functions::valid_name;
pub use crate::inside::Inside;
use crate::queueing::Queueing;
use crate::quota::Quota;
pub use crate::worker::Retry;

/// Where a Docker-compatible engine listens when nothing else is said.
const DEFAULT_ENGINE: &str = "unix:///var/run/docker.sock";
const MINUTE: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;

/// How the gateway reaches the port of a function's container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// By the container's address on the bridge network; nothing is published on the host.
    ContainerIp,
    /// By a port on 127.0.0.1 that the engine publishes; where the engine runs in a virtual machine.
    PublishedPort,
}

impl Reach {
    /// Only on Linux does the host see the engine's bridge.
    fn of_this_system() -> Self {
        if cfg!(target_os = "linux") { Self::ContainerIp } else { Self::PublishedPort }
    }
}

/// What holds for a container whose deployment does not say.
#[derive(Debug, Clone)]
pub struct DefaultLimits {
    /// Memory, in Kubernetes' notation; empty for no limit.
    pub memory: String,
    /// Processors, in Kubernetes' notation; empty for no limit.
    pub cpu: String,
    /// Processes and threads, of each container; 0 for no limit.
    pub pids: i64,
    /// Whether the root file system is read-only.
    pub read_only: bool,
}

impl Default for DefaultLimits {
    fn default() -> Self {
        Self { memory: "128Mi".to_owned(), cpu: "500m".to_owned(), pids: 256, read_only: false }
    }
}

impl DefaultLimits {
    /// Reads `default_memory_limit`, `default_cpu_limit` (`none` for no limit), `pids_limit` (0 for none) and
    /// `readonly_root_filesystem`.
    fn from_env(r: &Reader<'_>) -> Result<Self, Invalid> {
        let defaults = Self::default();
        let quantity = |name: &str, default: String, check: fn(&str) -> Result<(), String>| {
            let text = r.or(name, default)?;
            if text == "none" {
                return Ok(String::new());
            }
            check(&text).map(|()| text).map_err(|sentence| r.invalid(name, sentence))
        };
        let memory = quantity("default_memory_limit", defaults.memory, |text| {
            memory(text).map(drop).map_err(|error| error.to_string())
        });
        let cpu =
            quantity("default_cpu_limit", defaults.cpu, |text| cpu(text).map(drop).map_err(|error| error.to_string()));
        let pids = r.or("pids_limit", defaults.pids).and_then(|pids| match pids >= 0 {
            true => Ok(pids),
            false => Err(r.invalid("pids_limit", "must be a number of processes, or 0 for no limit")),
        });
        let read_only = r.flag("readonly_root_filesystem", defaults.read_only);
        Ok(Self { memory: memory?, cpu: cpu?, pids: pids?, read_only: read_only? })
    }
}

/// How long what runs at the shutdown may take to end, one after the other. What is cut off is done, or cleared away,
/// after the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Graces {
    /// Calls of the queue.
    pub calls: Duration,
    /// Requests on open connections.
    pub connections: Duration,
    /// Deployments, and the removal of what they replaced.
    pub deployments: Duration,
}

/// How functions are scaled without being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scaling {
    /// How often every function's load is looked at.
    pub interval: Duration,
    /// A replica is taken away only if none was wanted in its place for so long.
    pub calm: Duration,
    /// How long a request waits for a container that is about to come back after a crash.
    pub hold: Duration,
}

/// Everything the gateway needs to know. [`Config::new`] fills in the defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// Keeps the queue file, the secrets and the installation's id. One gateway per directory.
    pub data_dir: PathBuf,
    /// The engine's address: `unix://…` or `tcp://…`.
    pub engine: String,
    /// Name for basic auth on `/system/*`.
    pub user: String,
    /// Password for basic auth on `/system/*`.
    pub password: SecretString,
    /// The one namespace functions live in.
    pub namespace: String,
    /// How containers are reached.
    pub reach: Reach,
    /// A directory in memory, in which secrets are put for functions to see; `/run` or `/dev/shm` where unset.
    pub secrets_mount_dir: Option<PathBuf>,
    /// What functions are kept from.
    pub isolation: Isolation,
    /// The gateway's port on the functions' network.
    pub inside: Inside,
    /// What holds where a deployment does not say.
    pub limits: DefaultLimits,
    /// How long a new version may take to become ready.
    pub rollout_timeout: Duration,
    /// Credentials of private registries.
    pub registries: RegistryCredentials,
    /// When images are pulled.
    pub pull_policy: PullPolicy,
    /// How long an image pull may take.
    pub pull_timeout: Duration,
    /// How long a replaced replica may finish its requests.
    pub drain_timeout: Duration,
    /// How long a container may take to end after SIGTERM.
    pub stop_timeout: Duration,
    /// How long the shutdown may take.
    pub graces: Graces,
    /// How long a container function may take to begin its answer, and pause within it.
    pub upstream_timeout: Duration,
    /// Scaling by load and to zero.
    pub scaling: Scaling,
    /// What one namespace may hold, unless its annotations say otherwise.
    pub quota: Quota,
    /// Retries of asynchronous calls to container functions.
    pub retry: Retry,
    /// Where asynchronous calls wait, and where their answers go.
    pub queueing: Queueing,
    /// Asynchronous calls of one queue that run at once, all functions together. Each function may run one in any case.
    pub async_concurrency: usize,
    /// Asynchronous calls that run at once for one function.
    pub async_concurrency_per_function: usize,
    /// The largest body of a synchronous call, in bytes.
    pub max_body: u64,
    /// The largest body of an asynchronous call, in bytes.
    pub max_async_body: u64,
    /// Asynchronous calls that may wait.
    pub max_queued: usize,
    /// Connections served at once.
    pub max_connections: usize,
    /// The longest a followed log stays open.
    pub log_timeout: Duration,
    /// How late a missed run of a function is still made up.
    pub cron_missed_window: Duration,
    /// Whether each request is logged.
    pub access_log: bool,
    /// Functions that run in this process.
    pub platform: Vec<PlatformFunction>,
}

impl Config {
    /// Defaults for everything that has one.
    pub fn new(data_dir: impl Into<PathBuf>, user: impl Into<String>, password: SecretString) -> Self {
        Self {
            data_dir: data_dir.into(),
            engine: DEFAULT_ENGINE.to_owned(),
            user: user.into(),
            password,
            namespace: sdk::gateway::DEFAULT_NAMESPACE.to_owned(),
            reach: Reach::of_this_system(),
            secrets_mount_dir: None,
            isolation: Isolation::default(),
            inside: Inside::default(),
            limits: DefaultLimits::default(),
            rollout_timeout: Duration::from_secs(30),
            registries: RegistryCredentials::None,
            pull_policy: PullPolicy::IfNotPresent,
            pull_timeout: 5 * MINUTE,
            drain_timeout: MINUTE,
            stop_timeout: Duration::from_secs(5),
            // Nine seconds in all: whoever sends SIGTERM often sends SIGKILL ten seconds later.
            graces: Graces {
                calls: Duration::from_secs(4),
                connections: Duration::from_secs(3),
                deployments: Duration::from_secs(2),
            },
            upstream_timeout: MINUTE,
            scaling: Scaling { interval: Duration::from_secs(1), calm: MINUTE, hold: Duration::from_secs(5) },
            quota: Quota::default(),
            retry: Retry { first: Duration::from_secs(1), cap: MINUTE, attempts: 10 },
            queueing: Queueing::default(),
            async_concurrency: 256,
            async_concurrency_per_function: 50,
            max_body: 1024 * MIB,
            max_async_body: 64 * MIB,
            max_queued: 200_000,
            max_connections: 8192,
            log_timeout: 60 * MINUTE,
            cron_missed_window: 60 * MINUTE,
            access_log: false,
            platform: Vec::new(),
        }
    }

    /// Reads the variables of the stand-alone program; all bad values are reported together.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let defaults = Self::new("", "", SecretString::default());
        let data_dir = r.or::<String>("data_dir", ".of-gateway".to_owned());
        let engine = r.or::<String>("DOCKER_HOST", defaults.engine.clone());
        let user = r.secret("basic-auth-user");
        let password = r.secret("basic-auth-password");
        let namespace = r.or::<String>("function_namespace", defaults.namespace.clone()).and_then(|namespace| {
            if valid_name(&namespace) {
                Ok(namespace)
            } else {
                Err(r.invalid("function_namespace", "must be an RFC 1123 label"))
            }
        });
        let secrets_mount_dir = r.optional::<PathBuf>("secrets_mount_dir");
        let (isolation, inside) = (Isolation::from_env(&r), Inside::from_env(&r));
        let limits = DefaultLimits::from_env(&r);
        let upstream_timeout = r.duration_or("upstream_timeout", defaults.upstream_timeout);
        let rollout_timeout = r.duration_or("rollout_timeout", defaults.rollout_timeout);
        let registries = RegistryCredentials::from_env(&r, env);
        let pull_policy = r.or("image_pull_policy", defaults.pull_policy);
        let pull_timeout = r.duration_or("pull_timeout", defaults.pull_timeout);
        let drain_timeout = r.duration_or("drain_timeout", defaults.drain_timeout);
        let stop_timeout = r.duration_or("stop_timeout", defaults.stop_timeout);
        let calls_grace = r.duration_or("calls_grace", defaults.graces.calls);
        let connections_grace = r.duration_or("connections_grace", defaults.graces.connections);
        let deployments_grace = r.duration_or("deployments_grace", defaults.graces.deployments);
        let log_timeout = r.duration_or("log_timeout", defaults.log_timeout);
        let async_concurrency = r.or("async_concurrency", defaults.async_concurrency);
        let per_function = r.or("async_concurrency_per_function", defaults.async_concurrency_per_function);
        let max_body = r.or("max_body_bytes", defaults.max_body);
        let max_async_body = r.or("max_async_body_bytes", defaults.max_async_body);
        let scale_interval = r.duration_or("scale_interval", defaults.scaling.interval).and_then(|interval| {
            if interval.is_zero() {
                Err(r.invalid("scale_interval", "must be longer than nothing"))
            } else {
                Ok(interval)
            }
        });
        let scale_calm = r.duration_or("scale_down_after", defaults.scaling.calm);
        let hold = r.duration_or("hold_timeout", defaults.scaling.hold);
        let quota = Quota::from_env(&r);
        let cron_missed_window = r.duration_or("cron_missed_window", defaults.cron_missed_window);
        let access_log = r.flag("access_log", defaults.access_log);
        let queueing = Queueing::from_env(&r);
        let published = r.flag("publish_ports", defaults.reach == Reach::PublishedPort);
        r.finish()?;
        Ok(Self {
            data_dir: data_dir?.into(),
            engine: engine?,
            user: secrecy::ExposeSecret::expose_secret(&user?).to_owned(),
            password: password?,
            namespace: namespace?,
            reach: if published? { Reach::PublishedPort } else { Reach::ContainerIp },
            secrets_mount_dir: secrets_mount_dir?,
            isolation: isolation?,
            inside: inside?,
            limits: limits?,
            upstream_timeout: upstream_timeout?,
            rollout_timeout: rollout_timeout?,
            registries: registries?,
            pull_policy: pull_policy?,
            pull_timeout: pull_timeout?,
            drain_timeout: drain_timeout?,
            stop_timeout: stop_timeout?,
            graces: Graces { calls: calls_grace?, connections: connections_grace?, deployments: deployments_grace? },
            log_timeout: log_timeout?,
            scaling: Scaling { interval: scale_interval?, calm: scale_calm?, hold: hold? },
            quota: quota?,
            queueing: queueing?,
            async_concurrency: async_concurrency?,
            async_concurrency_per_function: per_function?,
            max_body: max_body?,
            max_async_body: max_async_body?,
            cron_missed_window: cron_missed_window?,
            access_log: access_log?,
            ..defaults
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_VARS: [(&str, &str); 0] = [];

    #[test]
    fn credentials_are_required_and_named_together_with_other_faults() {
        let env = Env::from_map([("upstream_timeout", "soon")], NO_VARS);
        let sentence = Config::from_env(&env).unwrap_err().to_string();
        for name in ["basic-auth-user", "basic-auth-password", "upstream_timeout"] {
            assert!(sentence.contains(name), "{name} is missing in: {sentence}");
        }
    }

    #[test]
    fn what_deployments_do_not_say_can_be_set_and_lifted() {
        let limits = |variables: &[(&str, &str)]| {
            let env = Env::from_map(variables.iter().copied(), [("", ""); 0]);
            let reader = env.reader();
            let limits = DefaultLimits::from_env(&reader);
            reader.finish().map(|()| limits.unwrap())
        };
        let defaults = limits(&[]).unwrap();
        assert_eq!((defaults.memory.as_str(), defaults.cpu.as_str(), defaults.pids), ("128Mi", "500m", 256));
        assert!(!defaults.read_only);
        let own = [("default_memory_limit", "1Gi"), ("default_cpu_limit", "none"), ("pids_limit", "0")];
        let own = limits(&[&own[..], &[("readonly_root_filesystem", "true")]].concat()).unwrap();
        assert_eq!((own.memory.as_str(), own.cpu.as_str(), own.pids, own.read_only), ("1Gi", "", 0, true));
        for (name, text) in [("default_memory_limit", "much"), ("default_cpu_limit", "half"), ("pids_limit", "-1")] {
            let sentence = limits(&[(name, text)]).unwrap_err().to_string();
            assert!(sentence.contains(name), "{sentence}");
        }
    }

    #[test]
    fn the_shutdown_ends_before_a_supervisor_loses_patience() {
        let graces = Config::new("", "", SecretString::default()).graces;
        assert!(graces.calls + graces.connections + graces.deployments < Duration::from_secs(10));
    }

    #[test]
    fn variables_override_the_defaults() {
        let secrets = [("basic-auth-user", "admin"), ("basic-auth-password", "pw")];
        let variables =
            [("upstream_timeout", "5s"), ("DOCKER_HOST", "tcp://127.0.0.1:2375"), ("connections_grace", "250ms")];
        let env = Env::from_map(variables, secrets);
        let config = Config::from_env(&env).unwrap();
        assert_eq!(config.upstream_timeout, Duration::from_secs(5));
        assert_eq!(config.graces.connections, Duration::from_millis(250));
        assert_eq!((config.user.as_str(), config.engine.as_str()), ("admin", "tcp://127.0.0.1:2375"));
        assert!(!format!("{config:?}").contains("pw\""));
    }
}
