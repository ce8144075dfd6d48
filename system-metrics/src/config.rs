//! What the operator decides.

use std::time::Duration;

use sdk::call::Functions;
use sdk::gateway::Gateway;
use sdk::metrics::METRICS_FUNCTION;
use sdk::signing::Key;
use sdk::{ConfigError, Env, Invalid, Reader};
use url::Url;

/// How long Prometheus may take for all that is asked of it, unless the operator says otherwise.
const PROMETHEUS_TIMEOUT: Duration = Duration::from_secs(5);
/// Where it listens, unless the operator says otherwise.
const PROMETHEUS_PORT: u16 = 9090;

pub(crate) struct Config {
    /// From the secret `payload-secret`.
    pub(crate) key: Key,
    /// `gateway_url` and the secrets `basic-auth-user` and `basic-auth-password`.
    pub(crate) gateway: Gateway,
    /// `prometheus_url`, or `prometheus_host` and `prometheus_port`.
    pub(crate) prometheus: Option<Url>,
    /// `prometheus_timeout`.
    pub(crate) prometheus_timeout: Duration,
}

impl Config {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let functions = Functions::read(&r);
        let gateway = Gateway::read(&r);
        let prometheus = prometheus(&r);
        let prometheus_timeout = r.duration_or("prometheus_timeout", PROMETHEUS_TIMEOUT);
        r.finish()?;
        Ok(Self {
            key: functions?.key(METRICS_FUNCTION),
            gateway: gateway?,
            prometheus: prometheus?,
            prometheus_timeout: prometheus_timeout?,
        })
    }
}

fn prometheus(r: &Reader<'_>) -> Result<Option<Url>, Invalid> {
    let url = r.optional::<Url>("prometheus_url")?;
    let host = r.optional::<String>("prometheus_host")?;
    let port = r.or("prometheus_port", PROMETHEUS_PORT)?;
    match (url, host) {
        (Some(_), Some(_)) => Err(r.invalid("prometheus_host", "must not be there beside prometheus_url")),
        (None, None) => Ok(None),
        (None, Some(host)) => match format!("http://{host}:{port}").parse::<Url>() {
            Ok(url) if url.path() == "/" && is_plain(&url) => Ok(Some(url)),
            _ => Err(r.invalid("prometheus_host", "must be the name or address of a host")),
        },
        (Some(url), None) if is_plain(&url) => Ok(Some(url)),
        (Some(_), None) => {
            Err(r.invalid("prometheus_url", "must begin with http:// or https://, without credentials, ? and #"))
        }
    }
}

fn is_plain(url: &Url) -> bool {
    let credentials = !url.username().is_empty() || url.password().is_some();
    let more = url.query().is_some() || url.fragment().is_some();
    matches!(url.scheme(), "http" | "https") && !credentials && !more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Option<String>, String> {
        let secrets = ["payload-secret", "basic-auth-user", "basic-auth-password"].map(|name| (name, "x"));
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let vars = vars.iter().chain(&[("gateway_url", "http://g:8080")]).map(own).collect::<Vec<_>>();
        let env = Env::from_map(vars, secrets.iter().map(own).collect::<Vec<_>>());
        let config = Config::read(&env).map_err(|error| error.to_string())?;
        Ok(config.prometheus.map(|url| url.to_string()))
    }

    #[test]
    fn prometheus_is_named_by_its_address_or_by_host_and_port_or_not_at_all() {
        assert_eq!(read(&[]), Ok(None));
        for (vars, url) in [
            (&[("prometheus_url", "https://p.example/base")] as &[_], "https://p.example/base"),
            (&[("prometheus_host", "prometheus.openfaas")], "http://prometheus.openfaas:9090/"),
            (&[("prometheus_host", "[::1]"), ("prometheus_port", "9")], "http://[::1]:9/"),
        ] {
            assert_eq!(read(vars), Ok(Some(url.to_owned())));
        }
    }

    #[test]
    fn odd_addresses_are_refused_by_the_variables_name() {
        for (vars, name) in [
            (&[("prometheus_url", "ftp://p")] as &[_], "prometheus_url"),
            (&[("prometheus_url", "http://u:p@host")], "prometheus_url"),
            (&[("prometheus_url", "http://host/?q")], "prometheus_url"),
            (&[("prometheus_url", "http://p"), ("prometheus_host", "p")], "prometheus_host"),
            (&[("prometheus_host", "p/path")], "prometheus_host"),
            (&[("prometheus_host", "u@p")], "prometheus_host"),
            (&[("prometheus_host", "p"), ("prometheus_port", "x")], "prometheus_port"),
            (&[("prometheus_timeout", "soon")], "prometheus_timeout"),
        ] {
            let error = read(vars).unwrap_err();
            assert!(error.contains(name), "{vars:?}: {error}");
        }
    }
}
