//! The command line.

use std::net::SocketAddr;
use std::str::FromStr;

use clap::Parser;

const SETTINGS: &str = "\
Settings are environment variables: data_dir, DOCKER_HOST, function_namespace, upstream_timeout, rollout_timeout,
async_concurrency and the others named in docs/of-gateway.md. The credentials for /system are the files
basic-auth-user and basic-auth-password in the directory secret_mount_path.

Signals: SIGTERM and SIGINT end it in order, SIGHUP reads the credentials anew, SIGUSR2 restarts it (also as another
program that was put in its place) without losing a request.

Example:
  secret_mount_path=./credentials data_dir=/var/lib/of-gateway of-gateway --listen 127.0.0.1:8080";

const METRICS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8082);

/// An OpenFaaS gateway for one machine: functions as containers, a durable queue for asynchronous calls.
#[derive(Debug, Parser)]
#[command(name = "of-gateway", version, after_help = SETTINGS)]
pub(crate) struct Arguments {
    /// Address to listen on, unless a supervisor hands the socket over.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Address of /metrics and /healthz for Prometheus, or off [default: 127.0.0.1:8082].
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<MetricsListen>,
    /// Check the settings, and end.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Clone, Copy)]
enum MetricsListen {
    Off,
    At(SocketAddr),
}

impl FromStr for MetricsListen {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" { Ok(Self::Off) } else { text.parse().map(Self::At) }
    }
}

impl Arguments {
    /// Where metrics are served. Who takes any port for the gateway gets any for the metrics too.
    pub(crate) fn metrics(&self) -> Option<SocketAddr> {
        match self.metrics_listen {
            Some(MetricsListen::Off) => None,
            Some(MetricsListen::At(address)) => Some(address),
            None if self.listen.port() == 0 => Some(SocketAddr::new(METRICS.ip(), 0)),
            None => Some(METRICS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(arguments: &[&str]) -> Option<String> {
        let all = std::iter::once("of-gateway").chain(arguments.iter().copied());
        Arguments::try_parse_from(all).unwrap().metrics().map(|address| address.to_string())
    }

    #[test]
    fn metrics_have_a_port_of_their_own_or_none() {
        assert_eq!(metrics(&[]).as_deref(), Some("127.0.0.1:8082"));
        assert_eq!(metrics(&["--metrics-listen", "off"]), None);
        assert_eq!(metrics(&["--metrics-listen", "[::1]:9"]).as_deref(), Some("[::1]:9"));
        assert_eq!(metrics(&["--listen", "0.0.0.0:0"]).as_deref(), Some("127.0.0.1:0"));
        assert!(Arguments::try_parse_from(["of-gateway", "--metrics-listen", "8082"]).is_err());
    }
}
