//! What the program is told at its start, beyond its command line.

use std::time::Duration;

use of_gateway::{Config, Graces};
use openfaas_runtime::{ConfigError, Env};

use super::logging;

/// New connections wait while requests end, so this is shorter than clients are patient.
const RESTART_GRACE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) log: logging::Settings,
    /// How long each step of a restart may take.
    restart_grace: Duration,
}

impl Settings {
    /// All that is wrong is reported together.
    pub(crate) fn from_env(env: &Env) -> anyhow::Result<Self> {
        let reader = env.reader();
        let log = logging::Settings::read(env, &reader);
        let restart_grace = reader.duration_or("restart_grace", RESTART_GRACE);
        let (own, config) = (reader.finish(), Config::from_env(env));
        if own.is_ok()
            && let (Ok(config), Ok(log), Ok(restart_grace)) = (&config, &log, restart_grace)
        {
            return Ok(Self { config: config.clone(), log: log.clone(), restart_grace });
        }
        let errors = own.err().into_iter().chain(config.err());
        let lines: Vec<String> = errors.flat_map(|error| lines(&error)).collect();
        Err(anyhow::anyhow!("the settings are not usable:\n{}", lines.join("\n")))
    }

    pub(crate) fn restart_graces(&self) -> Graces {
        let each = self.restart_grace;
        Graces { calls: each, connections: each, deployments: each }
    }
}

fn lines(error: &ConfigError) -> Vec<String> {
    error.problems().iter().map(|problem| format!("  {} {}", problem.name, problem.reason)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_is_reported_together() {
        let variables =
            [("log_format", "xml"), ("RUST_LOG", "a=loud"), ("restart_grace", "x"), ("upstream_timeout", "y")];
        let error = Settings::from_env(&Env::from_map(variables, [("basic-auth-user", "admin")])).unwrap_err();
        let text = error.to_string();
        for name in ["log_format", "RUST_LOG", "restart_grace", "upstream_timeout", "basic-auth-password"] {
            assert!(text.contains(name), "{name} is missing in: {text}");
        }
        assert!(!text.contains("basic-auth-user"), "{text}");
    }
}
