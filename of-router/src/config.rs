//! What of-router is told at its start.

use std::time::Duration;

use sdk::{ConfigError, Env};
use secrecy::SecretString;
use url::Url;

use crate::domain::Domain;
use crate::tls;

/// The configuration of the router.
#[derive(Debug, Clone)]
pub struct Config {
    /// `domain`: owners are served at `<owner>.<domain>`.
    pub domain: Domain,
    /// `gateway_url`: the OpenFaaS gateway; scheme, host and port only.
    pub gateway_url: Url,
    /// Secret `basic-auth-user`: for asking the gateway whose a function is.
    pub gateway_user: String,
    /// Secret `basic-auth-password`.
    pub gateway_password: SecretString,
    /// `git_url`: the git host behind `git.<domain>`; without it that name does not exist.
    pub git_url: Option<Url>,
    /// `public_scheme`: what users type, `http` or `https`; told to functions as `X-Forwarded-Proto`.
    pub public_scheme: String,
    /// `upstream_timeout`: how long a function may take until its answer begins.
    pub upstream_timeout: Duration,
    /// `git_timeout`: the same for the git host.
    pub git_timeout: Duration,
    /// `idle_timeout`: the longest pause within an answer.
    pub idle_timeout: Duration,
    /// `client_timeout`: the longest pause within a request, and the time for its head.
    pub client_timeout: Duration,
    /// `max_body_bytes`: the longest body of a request to a function.
    pub max_body_bytes: u64,
    /// `max_git_body_bytes`: the longest body of a request to the git host, which has a limit of its own.
    pub max_git_body_bytes: u64,
    /// `max_connections`: further clients wait.
    pub max_connections: usize,
    /// Encryption: `tls_certificate` and the like, `acme_directory` and the like. `None`: the router is spoken to plainly.
    pub tls: Option<tls::Settings>,
    /// How long the gateway's word about whose a function is counts.
    pub owner_cache: Duration,
}

impl Config {
    /// A configuration with the usual limits.
    pub fn new(
        domain: Domain,
        gateway_url: Url,
        gateway_user: impl Into<String>,
        gateway_password: SecretString,
    ) -> Self {
        Self {
            domain,
            gateway_url,
            gateway_user: gateway_user.into(),
            gateway_password,
            git_url: None,
            public_scheme: "http".to_owned(),
            upstream_timeout: Duration::from_secs(60),
            git_timeout: Duration::from_secs(15 * 60),
            idle_timeout: Duration::from_secs(15 * 60),
            client_timeout: Duration::from_secs(30),
            max_body_bytes: 100 << 20,
            max_git_body_bytes: 4 << 30,
            max_connections: 10_000,
            tls: None,
            owner_cache: Duration::from_secs(1),
        }
    }

    /// Reads the configuration from variables and secrets.
    ///
    /// # Errors
    /// Names every variable and secret that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        use secrecy::ExposeSecret;
        let nothing = Self::new(Domain::localhost(), Url::parse("http://localhost").map_err(bad_url)?, "", "".into());
        let reader = env.reader();
        let domain = reader.required::<Domain>("domain");
        let gateway_url = reader.required::<Url>("gateway_url");
        let user = reader.secret("basic-auth-user");
        let password = reader.secret("basic-auth-password");
        let git_url = reader.optional::<Url>("git_url");
        let tls = tls::Settings::read(&reader, domain.clone().unwrap_or_else(|_| Domain::localhost()));
        let encrypted = matches!(&tls, Ok(Some(_)));
        let usual_scheme = if encrypted { "https".to_owned() } else { nothing.public_scheme.clone() };
        let public_scheme = reader.or::<String>("public_scheme", usual_scheme);
        let upstream_timeout = reader.duration_or("upstream_timeout", nothing.upstream_timeout);
        let git_timeout = reader.duration_or("git_timeout", nothing.git_timeout);
        let idle_timeout = reader.duration_or("idle_timeout", nothing.idle_timeout);
        let client_timeout = reader.duration_or("client_timeout", nothing.client_timeout);
        let max_body_bytes = reader.or("max_body_bytes", nothing.max_body_bytes);
        let max_git_body_bytes = reader.or("max_git_body_bytes", nothing.max_git_body_bytes);
        let max_connections = reader.or("max_connections", nothing.max_connections);
        if matches!(&public_scheme, Ok(scheme) if scheme != "http" && scheme != "https") {
            let _ = reader.invalid("public_scheme", "has to be http or https");
        }
        reader.finish()?;
        Ok(Self {
            git_url: git_url?,
            tls: tls?,
            public_scheme: public_scheme?,
            upstream_timeout: upstream_timeout?,
            git_timeout: git_timeout?,
            idle_timeout: idle_timeout?,
            client_timeout: client_timeout?,
            max_body_bytes: max_body_bytes?,
            max_git_body_bytes: max_git_body_bytes?,
            max_connections: max_connections?,
            ..Self::new(domain?, gateway_url?, user?.expose_secret(), password?)
        })
    }
}

fn bad_url(error: url::ParseError) -> ConfigError {
    ConfigError::one("gateway_url", error.to_string())
}

/// Host and port of an upstream, in the form that a connection is made to.
pub(crate) fn authority(url: &Url) -> anyhow::Result<String> {
    anyhow::ensure!(url.scheme() == "http", "{url} has to begin with http://; encryption ends at the edge");
    let host = url.host_str().ok_or_else(|| anyhow::anyhow!("{url} names no host"))?;
    let port = url.port_or_known_default().unwrap_or(80);
    Ok(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_named_at_once() {
        let env = Env::from_map([("domain", "-bad-"), ("public_scheme", "ftp")], [("basic-auth-user", "admin")]);
        let text = Config::from_env(&env).unwrap_err().to_string();
        for name in ["domain", "gateway_url", "basic-auth-password", "public_scheme"] {
            assert!(text.contains(name), "{name} is not in: {text}");
        }
    }

    #[test]
    fn upstreams_are_plain_http() {
        assert_eq!(authority(&Url::parse("http://127.0.0.1:8080/").unwrap()).unwrap(), "127.0.0.1:8080");
        assert_eq!(authority(&Url::parse("http://gateway").unwrap()).unwrap(), "gateway:80");
        assert!(authority(&Url::parse("https://gateway").unwrap()).is_err());
    }
}
