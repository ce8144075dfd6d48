//! What of-router is told at its start.

use std::time::Duration;

use anyhow::Context;
use sdk::{ConfigError, Env, Invalid, Reader};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::auth::AuthConfig;
use crate::customs::CustomDomains;
use crate::domain::Domain;
use crate::hosts::DnsServer;
use crate::serving::Serving;
use crate::tls;

const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(60);
const GIT_TIMEOUT: Duration = Duration::from_secs(15 * 60);
const IDLE_TIMEOUT: Duration = Duration::from_secs(15 * 60);
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_BODY_BYTES: u64 = 100 << 20;
const MAX_GIT_BODY_BYTES: u64 = 4 << 30;
const MAX_CONNECTIONS: usize = 10_000;

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
    /// Workers, limits, the access log and the metrics.
    pub serving: Serving,
    /// `auth_url`: of-auth; scheme, host and port only. Without it nobody can sign in, and what is not public is closed.
    pub auth_url: Option<Url>,
    /// `auth_public_url`: of-auth's public address, which it writes into tokens; by default made of the scheme and the domain.
    pub auth_public_url: Option<Url>,
    /// Secret `payload-secret`, needed with `auth_url`: under it the router speaks to of-auth and tells functions who calls.
    pub payload_secret: Option<SecretString>,
    /// How long of-auth may say nothing before no token is believed without asking it.
    pub auth_silence: Duration,
    /// `custom_domains`: hosts that the operator gives to functions, such as `www.alice.com=alice/shop`.
    pub custom_domains: CustomDomains,
    /// `dns_server`: who is asked whether a function may have the hosts that it asks for; without it none may.
    pub dns_server: Option<DnsServer>,
    /// How often functions are looked through for hosts that they ask for.
    pub domains_every: Duration,
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
            upstream_timeout: UPSTREAM_TIMEOUT,
            git_timeout: GIT_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            client_timeout: CLIENT_TIMEOUT,
            max_body_bytes: MAX_BODY_BYTES,
            max_git_body_bytes: MAX_GIT_BODY_BYTES,
            max_connections: MAX_CONNECTIONS,
            tls: None,
            owner_cache: Duration::from_secs(1),
            serving: Serving::default(),
            auth_url: None,
            auth_public_url: None,
            payload_secret: None,
            auth_silence: Duration::from_secs(3 * session::protocol::ALIVE_SECONDS),
            custom_domains: CustomDomains::default(),
            dns_server: None,
            domains_every: Duration::from_secs(5),
        }
    }

    /// Reads the configuration from variables and secrets.
    ///
    /// # Errors
    /// Names every variable and secret that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let reader = env.reader();
        // All parts are read before the first problem ends it: all are told together.
        let domain = reader.required::<Domain>("domain");
        let gateway = Gateway::read(&reader);
        let tls = tls::Settings::read(&reader, domain.clone().unwrap_or_else(|_| Domain::localhost()));
        let public_scheme = public_scheme(&reader, matches!(&tls, Ok(Some(_))));
        let (limits, signing_in) = (Limits::read(&reader), SigningIn::read(&reader));
        let (serving, git_url) = (Serving::read(&reader), reader.optional::<Url>("git_url"));
        let custom_domains = custom_domains(&reader, domain.as_ref().ok());
        let dns_server = reader.optional::<DnsServer>("dns_server");
        reader.finish()?;
        let (gateway, limits, signing_in) = (gateway?, limits?, signing_in?);
        Ok(Self {
            git_url: git_url?,
            tls: tls?,
            public_scheme: public_scheme?,
            upstream_timeout: limits.upstream_timeout,
            git_timeout: limits.git_timeout,
            idle_timeout: limits.idle_timeout,
            client_timeout: limits.client_timeout,
            max_body_bytes: limits.max_body_bytes,
            max_git_body_bytes: limits.max_git_body_bytes,
            max_connections: limits.max_connections,
            serving: serving?,
            auth_url: signing_in.url,
            auth_public_url: signing_in.public_url,
            payload_secret: signing_in.payload_secret,
            custom_domains: custom_domains?,
            dns_server: dns_server?,
            ..Self::new(domain?, gateway.url, gateway.user.expose_secret(), gateway.password)
        })
    }

    /// What of-auth is reached by, if it is there.
    pub(crate) fn auth(&self) -> anyhow::Result<Option<AuthConfig>> {
        let Some(url) = self.auth_url.clone() else { return Ok(None) };
        let payload_secret = self.payload_secret.clone().context("auth_url is useless without payload-secret")?;
        let public = match &self.auth_public_url {
            Some(url) => url.clone(),
            None => Url::parse(&format!("{}://auth.system.{}", self.public_scheme, self.domain))?,
        };
        authority(&url)?;
        let (issuer, secure) = (public.origin().ascii_serialization(), public.scheme() == "https");
        Ok(Some(AuthConfig { url, issuer, payload_secret, secure, silence: self.auth_silence }))
    }
}

/// How the gateway is reached.
struct Gateway {
    url: Url,
    user: SecretString,
    password: SecretString,
}

impl Gateway {
    fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let url = reader.required::<Url>("gateway_url");
        let (user, password) = (reader.secret("basic-auth-user"), reader.secret("basic-auth-password"));
        Ok(Self { url: url?, user: user?, password: password? })
    }
}

/// Times and sizes.
struct Limits {
    upstream_timeout: Duration,
    git_timeout: Duration,
    idle_timeout: Duration,
    client_timeout: Duration,
    max_body_bytes: u64,
    max_git_body_bytes: u64,
    max_connections: usize,
}

impl Limits {
    fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let upstream_timeout = reader.duration_or("upstream_timeout", UPSTREAM_TIMEOUT);
        let git_timeout = reader.duration_or("git_timeout", GIT_TIMEOUT);
        let idle_timeout = reader.duration_or("idle_timeout", IDLE_TIMEOUT);
        let client_timeout = reader.duration_or("client_timeout", CLIENT_TIMEOUT);
        let max_body_bytes = reader.or("max_body_bytes", MAX_BODY_BYTES);
        let max_git_body_bytes = reader.or("max_git_body_bytes", MAX_GIT_BODY_BYTES);
        let max_connections = reader.or("max_connections", MAX_CONNECTIONS);
        Ok(Self {
            upstream_timeout: upstream_timeout?,
            git_timeout: git_timeout?,
            idle_timeout: idle_timeout?,
            client_timeout: client_timeout?,
            max_body_bytes: max_body_bytes?,
            max_git_body_bytes: max_git_body_bytes?,
            max_connections: max_connections?,
        })
    }
}

/// What signing in needs.
struct SigningIn {
    url: Option<Url>,
    public_url: Option<Url>,
    payload_secret: Option<SecretString>,
}

impl SigningIn {
    fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let (url, public_url) = (reader.optional::<Url>("auth_url"), reader.optional::<Url>("auth_public_url"));
        let payload_secret = reader.optional_secret("payload-secret");
        if matches!(&url, Ok(Some(_))) && payload_secret.is_none() {
            return Err(reader.invalid("payload-secret", "is missing: it is needed with auth_url"));
        }
        Ok(Self { url: url?, public_url: public_url?, payload_secret })
    }
}

fn public_scheme(reader: &Reader<'_>, encrypted: bool) -> Result<String, Invalid> {
    let usual = if encrypted { "https" } else { "http" };
    let scheme = reader.or::<String>("public_scheme", usual.to_owned())?;
    match scheme.as_str() {
        "http" | "https" => Ok(scheme),
        _ => Err(reader.invalid("public_scheme", "has to be http or https")),
    }
}

fn custom_domains(reader: &Reader<'_>, domain: Option<&Domain>) -> Result<CustomDomains, Invalid> {
    let custom = reader.or("custom_domains", CustomDomains::default())?;
    match domain.and_then(|domain| custom.within(domain)) {
        None => Ok(custom),
        Some(host) => Err(reader.invalid("custom_domains", format!("{host} is one of the platform's own hosts"))),
    }
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
    fn signing_in_needs_a_key_and_the_platform_s_hosts_stay_its_own() {
        let secrets = [("basic-auth-user", "admin"), ("basic-auth-password", "x")];
        let given = |more: &[(&'static str, &'static str)]| {
            let usual = [("domain", "example.com"), ("gateway_url", "http://gateway:8080")];
            Config::from_env(&Env::from_map([&usual[..], more].concat(), secrets))
        };
        assert!(given(&[]).unwrap().auth().unwrap().is_none());
        let wrong = [("auth_url", "http://auth"), ("custom_domains", "a.example.com=a/b"), ("dns_server", "x")];
        let text = given(&wrong).unwrap_err().to_string();
        for name in ["payload-secret", "custom_domains", "dns_server"] {
            assert!(text.contains(name), "{name} is not in: {text}");
        }
        let mut config = given(&[]).unwrap();
        config.auth_url = Some("http://auth:8080".parse().unwrap());
        assert!(config.auth().is_err(), "no key");
        config.payload_secret = Some("secret".into());
        let auth = config.auth().unwrap().unwrap();
        assert_eq!((auth.issuer.as_str(), auth.secure), ("http://auth.system.example.com", false));
        config.auth_public_url = Some("https://auth.system.example.com:8443/".parse().unwrap());
        let auth = config.auth().unwrap().unwrap();
        assert_eq!((auth.issuer.as_str(), auth.secure), ("https://auth.system.example.com:8443", true));
    }

    #[test]
    fn upstreams_are_plain_http() {
        assert_eq!(authority(&Url::parse("http://127.0.0.1:8080/").unwrap()).unwrap(), "127.0.0.1:8080");
        assert_eq!(authority(&Url::parse("http://gateway").unwrap()).unwrap(), "gateway:80");
        assert!(authority(&Url::parse("https://gateway").unwrap()).is_err());
    }
}
