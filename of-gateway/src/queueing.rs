//! What the gateway is told about asynchronous calls: where they wait, how many run, where their answers may go.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use openfaas_runtime::{Invalid, Reader};
use queue::{Credentials, DEFAULT_QUEUE, Nats, valid_queue};

use crate::worker::CallbackHosts;

/// Where NATS listens when no port is named.
const NATS_PORT: u16 = 4222;
/// Shorter, and a gateway that is merely busy would lose its calls to itself.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// Everything about the queue.
#[derive(Debug, Clone)]
pub struct Queueing {
    /// NATS, if calls wait there; else they wait in a file.
    pub nats: Option<Nats>,
    /// The queue of functions that name none.
    pub queue: String,
    /// How long a call that runs belongs to a gateway that gives no sign of life.
    pub lease: Duration,
    /// Calls of one queue that run at once, for the queues that have a limit of their own.
    pub concurrency: BTreeMap<String, usize>,
    /// Hosts that callbacks may go to.
    pub callbacks: CallbackHosts,
    /// Bytes that the large bodies of waiting calls may have, all together.
    pub max_stored: u64,
}

impl Default for Queueing {
    fn default() -> Self {
        let defaults = queue::Options::default();
        Self {
            nats: None,
            queue: DEFAULT_QUEUE.to_owned(),
            lease: defaults.lease,
            concurrency: BTreeMap::new(),
            callbacks: CallbackHosts::default(),
            max_stored: defaults.limits.body_files,
        }
    }
}

impl Queueing {
    /// Reads `faas_nats_address`, `faas_nats_port`, `faas_nats_channel`, `nats_ca_file`, `nats_replicas`, `ack_wait`,
    /// `queue_concurrency`, `callback_hosts` and `max_async_stored_bytes`; the secrets `nats-user` with
    /// `nats-password`, `nats-token`, `nats-nkey` and `nats-creds`.
    pub(crate) fn from_env(r: &Reader<'_>) -> Result<Self, Invalid> {
        let defaults = Self::default();
        let nats = nats(r);
        let queue = r.or("faas_nats_channel", defaults.queue).and_then(|name: String| match valid_queue(&name) {
            true => Ok(name),
            false => Err(r.invalid("faas_nats_channel", "must be 1 to 63 letters, digits, hyphens and underscores")),
        });
        let lease = r.duration_or("ack_wait", defaults.lease).and_then(|lease| match lease >= SHORTEST_LEASE {
            true => Ok(lease),
            false => Err(r.invalid("ack_wait", "must be at least one second")),
        });
        let concurrency = concurrency(r);
        let callbacks = r.or("callback_hosts", defaults.callbacks);
        let max_stored = r.or("max_async_stored_bytes", defaults.max_stored);
        Ok(Self {
            nats: nats?,
            queue: queue?,
            lease: lease?,
            concurrency: concurrency?,
            callbacks: callbacks?,
            max_stored: max_stored?,
        })
    }
}

fn nats(r: &Reader<'_>) -> Result<Option<Nats>, Invalid> {
    let address = r.optional::<String>("faas_nats_address").and_then(|address| match address {
        // It is in the log, and in what the management API tells.
        Some(address) if address.contains('@') => {
            let reason =
                "must hold no credentials; put them into the secrets nats-user and nats-password, or nats-token";
            Err(r.invalid("faas_nats_address", reason))
        }
        other => Ok(other),
    });
    let port = r.or("faas_nats_port", NATS_PORT);
    let authorities = r.optional::<PathBuf>("nats_ca_file");
    let replicas = r.or("nats_replicas", 1).and_then(|replicas: usize| match (1..=5).contains(&replicas) {
        true => Ok(replicas),
        false => Err(r.invalid("nats_replicas", "must be 1 to 5")),
    });
    let credentials = credentials(r);
    let (address, port, authorities, replicas) = (address?, port?, authorities?, replicas?);
    let credentials = credentials?;
    Ok(address.map(|address| Nats { address: with_port(&address, port), credentials, authorities, replicas }))
}

/// Each server of a list, with the port unless it names its own.
fn with_port(addresses: &str, port: u16) -> String {
    let complete = |address: &str| {
        let host = address.split_once("://").map_or(address, |(_, host)| host);
        let names_port = host.rsplit_once(':').is_some_and(|(_, end)| !end.contains(']') && end.parse::<u16>().is_ok());
        if names_port { address.to_owned() } else { format!("{address}:{port}") }
    };
    addresses.split(',').map(|address| complete(address.trim())).collect::<Vec<_>>().join(",")
}

/// One kind of credentials, or none.
fn credentials(r: &Reader<'_>) -> Result<Credentials, Invalid> {
    use secrecy::ExposeSecret as _;
    let secret = |name| r.optional_secret(name);
    let mut found = Vec::new();
    match (secret("nats-user"), secret("nats-password")) {
        (Some(user), Some(password)) => {
            found.push(Credentials::Password { user: user.expose_secret().trim().to_owned(), password });
        }
        (None, None) => {}
        (Some(_), None) => return Err(r.invalid("nats-password", "is missing beside nats-user")),
        (None, Some(_)) => return Err(r.invalid("nats-user", "is missing beside nats-password")),
    }
    found.extend(secret("nats-token").map(Credentials::Token));
    found.extend(secret("nats-nkey").map(Credentials::Seed));
    found.extend(secret("nats-creds").map(Credentials::File));
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Ok(Credentials::None),
        (Some(_), false) => {
            let reason =
                "is one of several credentials for NATS; keep one of nats-user, nats-token, nats-nkey, nats-creds";
            Err(r.invalid("nats-user", reason))
        }
    }
}

/// `slow=2,gpu=1`.
fn concurrency(r: &Reader<'_>) -> Result<BTreeMap<String, usize>, Invalid> {
    let one = |part: String| {
        let (queue, limit) = part.split_once('=')?;
        let (queue, limit) = (queue.trim(), limit.trim().parse().ok()?);
        (valid_queue(queue) && limit > 0).then(|| (queue.to_owned(), limit))
    };
    let all = r.list("queue_concurrency").into_iter().map(one).collect::<Option<_>>();
    all.ok_or_else(|| r.invalid("queue_concurrency", "must be queues with their limits, such as slow=2,gpu=1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use openfaas_runtime::{ConfigError, Env};

    fn read(variables: &[(&str, &str)], secrets: &[(&str, &str)]) -> Result<Queueing, ConfigError> {
        let env = Env::from_map(variables.iter().copied(), secrets.iter().copied());
        let reader = env.reader();
        let read = Queueing::from_env(&reader);
        reader.finish().map(|()| read.unwrap())
    }

    #[test]
    fn without_settings_calls_wait_in_a_file() {
        let read = read(&[], &[]).unwrap();
        assert!(read.nats.is_none() && read.concurrency.is_empty());
        assert_eq!((read.queue.as_str(), read.lease), ("faas-request", Duration::from_secs(60)));
    }

    #[test]
    fn nats_has_the_names_of_the_original() {
        let variables = [
            ("faas_nats_address", "nats, tls://b:4333,[::1]"),
            ("faas_nats_port", "4333"),
            ("faas_nats_channel", "calls"),
            ("queue_concurrency", "slow=2, gpu=1"),
            ("ack_wait", "90s"),
        ];
        let read = read(&variables, &[("nats-user", "of\n"), ("nats-password", "pw")]).unwrap();
        let nats = read.nats.unwrap();
        assert_eq!(nats.address, "nats:4333,tls://b:4333,[::1]:4333");
        assert!(matches!(&nats.credentials, Credentials::Password { user, .. } if user == "of"));
        assert!(!format!("{nats:?}").contains("pw"));
        assert_eq!((read.queue.as_str(), read.lease), ("calls", Duration::from_secs(90)));
        assert_eq!(read.concurrency, BTreeMap::from([("slow".to_owned(), 2), ("gpu".to_owned(), 1)]));
    }

    #[test]
    fn what_is_wrong_is_named_together() {
        let variables = [
            ("faas_nats_port", "many"),
            ("faas_nats_channel", "a.b"),
            ("nats_replicas", "0"),
            ("ack_wait", "10ms"),
            ("queue_concurrency", "slow"),
            ("callback_hosts", "http://x"),
            ("max_async_stored_bytes", "-1"),
        ];
        let sentence = read(&variables, &[("nats-user", "of")]).unwrap_err().to_string();
        for name in variables.map(|(name, _)| name).into_iter().chain(["nats-password"]) {
            assert!(sentence.contains(name), "{name} is missing in: {sentence}");
        }
        let two = [("nats-token", "a"), ("nats-creds", "b")];
        assert!(read(&[], &two).unwrap_err().to_string().contains("several credentials"));
    }
}
