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
use crate::domain::{self, Domain, Place};
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
pub(crate) struct Table(Arc<RwLock<State>>);

#[derive(Debug, Default)]
struct State {
    customs: Arc<Customs>,
    known: Known,
}

/// What the table is made from: what functions ask for and DNS says, and until when that counts.
#[derive(Debug, Clone, Default)]
struct Known {
    claims: Vec<Claim>,
    /// When the gateway told the claims.
    listed: Option<Instant>,
    proofs: Proofs,
    /// Who told the proofs.
    server: Option<DnsServer>,
}

impl Known {
    /// What of this counts for another configuration.
    fn carried_over(mut self, domain: &Domain, server: DnsServer) -> Self {
        for claim in &mut self.claims {
            claim.hosts.retain(|host| domain::place(domain, host) == Place::Elsewhere);
        }
        if self.server.is_some_and(|before| before != server) {
            self.proofs.ask_all_again();
        }
        Self { server: Some(server), ..self }
    }

    fn table(&self, given: &CustomDomains) -> Customs {
        let now = Instant::now();
        customs::table(given, &self.claims, |host| self.proofs.owner(host, now))
    }
}

impl Table {
    /// As it is now.
    pub(crate) fn now(&self) -> Arc<Customs> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).customs.clone()
    }

    fn set(&self, given: &CustomDomains, known: &Known) {
        let state = State { customs: Arc::new(known.table(given)), known: known.clone() };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn known(&self) -> Known {
        self.0.read().unwrap_or_else(PoisonError::into_inner).known.clone()
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
    /// Starts to keep the table, which begins with what still counts of the one of the configuration before. Has to be
    /// called within a runtime.
    pub(crate) fn start(config: &Config, gateway: Gateway, before: &Table) -> anyhow::Result<Self> {
        let (table, given) = (Table::default(), config.custom_domains.clone());
        let Some(server) = config.dns_server else {
            table.set(&given, &Known::default());
            return Ok(Self { table, _stop: None });
        };
        let known = before.known().carried_over(&config.domain, server);
        table.set(&given, &known);
        let (domain, dns) = (config.domain.clone(), Dns::new(server)?);
        let keeper = Keeper { domain, given, gateway, dns, table: table.clone(), known };
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
    known: Known,
}

impl Keeper {
    async fn keep_up(mut self, every: Duration) {
        loop {
            self.list().await;
            self.prove().await;
            self.table.set(&self.given, &self.known);
            tokio::time::sleep(every).await;
        }
    }

    async fn list(&mut self) {
        match tokio::time::timeout(PATIENCE, self.gateway.list()).await {
            Ok(Ok(functions)) => {
                self.known.claims = functions.iter().filter_map(|function| claim(&self.domain, function)).collect();
                self.known.listed = Some(Instant::now());
            }
            Ok(Err(error)) => tracing::warn!(cause = chain(&error), "the gateway does not list functions"),
            Err(_) => tracing::warn!("the gateway takes too long to list functions"),
        }
        if self.known.listed.is_none_or(|at| at.elapsed() > LISTED_FOR) {
            self.known.claims.clear();
        }
    }

    async fn prove(&mut self) {
        let Known { claims, proofs, .. } = &mut self.known;
        let wanted: BTreeSet<&str> = claims.iter().flat_map(|claim| &claim.hosts).map(String::as_str).collect();
        let wanted: Vec<String> = wanted.into_iter().take(customs::MAX_CLAIMED).map(str::to_owned).collect();
        let now = Instant::now();
        proofs.keep(&wanted);
        let due: Vec<String> = wanted.into_iter().filter(|host| proofs.is_due(host, now)).collect();
        let dns = &self.dns;
        let look_up = |host: String| async move {
            let found = dns.owner(&host).await;
            (host, found)
        };
        let found: Vec<_> = futures_util::stream::iter(due).map(look_up).buffer_unordered(AT_ONCE).collect().await;
        for (host, found) in found {
            proofs.learn(host, found, Instant::now());
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
    fn a_new_configuration_begins_with_what_was_proven() {
        let (id, now) = (OwnerId { host: "github.com".into(), id: 42 }, Instant::now());
        let hosts = vec!["www.alice.com".to_owned(), "a.example.com".to_owned(), "unproven.org".to_owned()];
        let (owner, service) = ("alice".parse().unwrap(), "alice-shop".parse().unwrap());
        let mut proofs = Proofs::default();
        for host in &hosts[..2] {
            proofs.learn(host.clone(), Found::Word(Some(id.clone()), Duration::from_secs(60)), now);
        }
        let server = Some(DnsServer::System);
        let before = Table::default();
        let claims = vec![Claim { owner, id, service, hosts }];
        before.set(&CustomDomains::default(), &Known { claims, listed: Some(now), proofs, server });
        assert_eq!(before.now().len(), 2);

        let (given, domain) = ("www.bob.org=bob/web".parse().unwrap(), "example.com".parse().unwrap());
        let same = before.known().carried_over(&domain, DnsServer::System);
        let mut hosts: Vec<_> = same.table(&given).into_keys().collect();
        hosts.sort();
        assert_eq!(hosts, ["www.alice.com", "www.bob.org"], "what is the platform's own now is not carried over");
        assert!(!same.proofs.is_due("www.alice.com", now), "and need not be asked for again");
        let other = before.known().carried_over(&domain, DnsServer::At("10.0.0.1:53".parse().unwrap()));
        assert!(other.table(&given).contains_key("www.alice.com"));
        assert!(other.proofs.is_due("www.alice.com", Instant::now()), "another server is asked at once");
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
