//! Hosts outside of the platform's domain, as functions ask for them and DNS proves it.
//!
//! A function with the annotation `com.openfaas.cloud.domains: www.alice.com` is served there if the TXT record of
//! `_ofc.www.alice.com` is `ofc-owner=<source-code host>/<number>` with its owner's number.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use sdk::failure::chain;
use sdk::gateway::{FunctionStatus, Gateway};
use sdk::id::OwnerId;
use sdk::labels::{DOMAINS, GIT_OWNER};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::config::Config;
use crate::customs::{self, Claim, CustomDomains, Customs};
use crate::domain::Domain;
use crate::ownership;
use crate::tls::{Allowed, Holder, Host};

mod dns;
mod proofs;

use dns::Dns;
use proofs::Proofs;

/// How long the functions' wishes count after the gateway last told them.
const LISTED_FOR: Duration = Duration::from_secs(600);
/// How many names are looked up at a time.
const AT_ONCE: usize = 8;
/// How long the gateway may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The name server that is asked for proofs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsServer {
    /// Those that the system uses.
    System,
    /// This one.
    At(SocketAddr),
}

/// Text that names no name server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has to be 'system' or an address, perhaps with a port, such as 10.0.0.10 or 10.0.0.10:53")]
pub struct InvalidDnsServer;

impl FromStr for DnsServer {
    type Err = InvalidDnsServer;

    fn from_str(text: &str) -> Result<Self, InvalidDnsServer> {
        if text == "system" {
            return Ok(Self::System);
        }
        let plain = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
        text.parse().or_else(|_| plain()).map(Self::At).map_err(|_| InvalidDnsServer)
    }
}

/// A table that changes as functions and DNS do. Cloning gives the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table(Arc<RwLock<Arc<Customs>>>);

impl Table {
    /// As it is now.
    pub(crate) fn now(&self) -> Arc<Customs> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, customs: Customs) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(customs);
    }

    /// Lets certificates be ordered for these hosts.
    pub(crate) fn allowed(&self) -> Allowed {
        let table = self.clone();
        Allowed::new(move |host: Host| {
            let custom = table.now().get(host.as_str()).map(|custom| Holder::Owner(custom.owner.to_string()));
            std::future::ready(custom)
        })
    }
}

/// The table of hosts, kept up to date in the background.
#[derive(Debug)]
pub(crate) struct Hosts {
    table: Table,
    _stop: Option<DropGuard>,
}

impl Hosts {
    /// Starts to keep the table, which begins with what is still right of the one of the configuration `before`. Has to
    /// be called within a runtime.
    pub(crate) fn start(config: &Config, gateway: Gateway, before: &Customs) -> anyhow::Result<Self> {
        let table = Table::default();
        table.set(customs::carried_over(&config.custom_domains, &config.domain, before));
        let Some(server) = config.dns_server else {
            table.set(config.custom_domains.table());
            return Ok(Self { table, _stop: None });
        };
        let keeper = Keeper {
            domain: config.domain.clone(),
            given: config.custom_domains.clone(),
            gateway,
            dns: Dns::new(server)?,
            table: table.clone(),
            claims: Vec::new(),
            listed: Instant::now(),
            proofs: Proofs::default(),
        };
        let stop = CancellationToken::new();
        let (ended, every) = (stop.clone(), config.domains_every);
        tokio::spawn(async move {
            tokio::select! {
                () = ended.cancelled() => {}
                () = keeper.keep_up(every) => {}
            }
        });
        Ok(Self { table, _stop: Some(stop.drop_guard()) })
    }

    /// The table.
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }
}

struct Keeper {
    domain: Domain,
    given: CustomDomains,
    gateway: Gateway,
    dns: Dns,
    table: Table,
    claims: Vec<Claim>,
    listed: Instant,
    proofs: Proofs,
}

impl Keeper {
    async fn keep_up(mut self, every: Duration) {
        loop {
            self.list().await;
            self.prove().await;
            let now = Instant::now();
            self.table.set(customs::table(&self.given, &self.claims, |host| self.proofs.owner(host, now)));
            tokio::time::sleep(every).await;
        }
    }

    async fn list(&mut self) {
        match tokio::time::timeout(PATIENCE, self.gateway.list()).await {
            Ok(Ok(functions)) => {
                self.claims = functions.iter().filter_map(|function| claim(&self.domain, function)).collect();
                self.listed = Instant::now();
            }
            Ok(Err(error)) => tracing::warn!(cause = chain(&error), "the gateway does not list functions"),
            Err(_) => tracing::warn!("the gateway takes too long to list functions"),
        }
        if self.listed.elapsed() > LISTED_FOR {
            self.claims.clear();
        }
    }

    async fn prove(&mut self) {
        let wanted: BTreeSet<&str> = self.claims.iter().flat_map(|claim| &claim.hosts).map(String::as_str).collect();
        let wanted: Vec<String> = wanted.into_iter().take(customs::MAX_CLAIMED).map(str::to_owned).collect();
        let now = Instant::now();
        self.proofs.keep(&wanted);
        let due: Vec<String> = wanted.into_iter().filter(|host| self.proofs.is_due(host, now)).collect();
        let dns = &self.dns;
        let look_up = |host: String| async move {
            let found = dns.owner(&host).await;
            (host, found)
        };
        let found: Vec<_> = futures_util::stream::iter(due).map(look_up).buffer_unordered(AT_ONCE).collect().await;
        for (host, found) in found {
            self.proofs.learn(host, found, Instant::now());
        }
    }
}

/// What DNS says about a host.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// The owner that it names, if it names one, and for how long that counts.
    Word(Option<OwnerId>, Duration),
    /// Nothing that can be understood.
    Failure,
}

fn claim(domain: &Domain, function: &FunctionStatus) -> Option<Claim> {
    let hosts = customs::claimed(domain, function.annotations.get(DOMAINS)?);
    let id = ownership::owner_id(function)?;
    let owner = function.labels.get(GIT_OWNER)?.parse().ok()?;
    let service: sdk::id::ServiceName = function.name.parse().ok()?;
    let free = !sdk::reserved::is_function(&service) && !sdk::reserved::is_login(&owner);
    (free && !hosts.is_empty()).then_some(Claim { owner, id, service, hosts })
}

/// Proofs by host.
type ByHost<T> = HashMap<String, T>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_is_named_by_its_address() {
        assert_eq!("system".parse(), Ok(DnsServer::System));
        assert_eq!("10.0.0.10".parse(), Ok(DnsServer::At("10.0.0.10:53".parse().unwrap())));
        assert_eq!("[::1]:5353".parse(), Ok(DnsServer::At("[::1]:5353".parse().unwrap())));
        for wrong in ["", "dns.google", "10.0.0", "10.0.0.10:x"] {
            assert_eq!(wrong.parse::<DnsServer>(), Err(InvalidDnsServer), "{wrong}");
        }
    }

    #[test]
    fn a_function_without_a_known_owner_claims_nothing() {
        let domain: Domain = "example.com".parse().unwrap();
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let all = [(GIT_OWNER, "alice"), (sdk::labels::GIT_OWNER_ID, "7"), (sdk::labels::GIT_SCM, "github.com")];
        let function = |name: &str, labels: &[(&str, &str)]| FunctionStatus {
            name: name.into(),
            labels: pairs(labels),
            annotations: pairs(&[(DOMAINS, "www.alice.com")]),
            ..FunctionStatus::default()
        };
        assert_eq!(claim(&domain, &function("alice-shop", &all)).unwrap().hosts, ["www.alice.com"]);
        assert_eq!(claim(&domain, &function("alice-shop", &all[..2])), None);
        assert_eq!(claim(&domain, &function("git-tar", &all)), None);
        assert_eq!(claim(&domain, &FunctionStatus { annotations: Default::default(), ..function("a-b", &all) }), None);
    }
}
