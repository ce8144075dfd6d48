//! Who gets a certificate ordered, and when: known hosts only, one order at a time for each, not too often.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use rustls::crypto::CryptoProvider;
use sdk::customers::Customers;
use sdk::failure::chain;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::account::Accounts;
use super::challenges::Challenges;
use super::order::{self, Hook, Proof, Stage};
use super::pace::Pace;
use super::store::Store;
use super::{OrderError, renewal};
use crate::domain::Domain;
use crate::tls::certificate::Certificate;
use crate::tls::counters::Counters;
use crate::tls::host::{Host, Name};
use crate::tls::settings::Acme;
use crate::tls::table::Table;

/// Orders that are open at the same time.
const AT_ONCE: usize = 4;
/// The longest that one order may take.
const ORDER_LIMIT: Duration = Duration::from_secs(600);
/// How long a host that is not known is refused without being looked up again.
const UNKNOWN_KEPT: Duration = Duration::from_secs(10);
/// The most unknown hosts that are remembered.
const UNKNOWN_MOST: usize = 4096;
/// The longest that looking up a host may take.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);
/// The longest pause between two looks at what is due.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// The shortest one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

type Answer = Pin<Box<dyn Future<Output = Option<Holder>> + Send>>;

/// Whose a host is. Orders are limited for each owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Holder {
    /// The platform's own: only the limit for all together counts.
    Platform,
    /// An owner's, by login.
    Owner(String),
}

/// Tells whose a host is, if it is one of ours, so that a certificate may be ordered for it.
#[derive(Clone)]
pub struct Allowed(Arc<dyn Fn(Host) -> Answer + Send + Sync>);

impl Allowed {
    /// Asks `question` about each host that has no certificate yet, and before a renewal. Strangers make names up, so
    /// the answer should come from memory; `None` is a no, and so is one that takes more than five seconds.
    pub fn new<F, A>(question: F) -> Self
    where
        F: Fn(Host) -> A + Send + Sync + 'static,
        A: Future<Output = Option<Holder>> + Send + 'static,
    {
        Self(Arc::new(move |host| Box::pin(question(host))))
    }

    /// The platform's own hosts below `domain` and those of its tenants. Custom domains are added as they become known;
    /// others need `acme_hosts`, or a wildcard.
    pub fn of_tenants(domain: &Domain, customers: Option<Customers>) -> Self {
        let (customers, domain) = (Arc::new(customers), domain.to_string());
        let ours = ["system.", "auth.system.", "git.", ""].map(|host| format!("{host}{domain}"));
        Self::new(move |host: Host| {
            let owner = host.as_str().strip_suffix(&domain).and_then(|rest| rest.strip_suffix('.'));
            let owner = owner.and_then(|label| label.parse().ok());
            let tenant = customers.as_ref().as_ref().zip(owner).filter(|(list, owner)| list.contains(owner));
            let ours = ours.iter().any(|own| own == host.as_str()).then_some(Holder::Platform);
            std::future::ready(ours.or_else(|| tenant.map(|(_, owner)| Holder::Owner(owner.to_string()))))
        })
    }

    /// No host but those of the settings.
    pub fn none() -> Self {
        Self::new(|_| std::future::ready(None))
    }
}

impl std::fmt::Debug for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Allowed")
    }
}

/// Why there is no certificate for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is not one of ours.
    Unknown,
    /// It could not be had: the order failed, or failed a short while ago, or takes too long.
    NotNow,
}

/// How an order ended; `None` while it runs.
type Progress = Option<Result<(), Refusal>>;

/// Orders certificates and keeps them fresh.
pub(crate) struct Issuer {
    settings: Acme,
    accounts: Accounts,
    store: Store,
    stage: Stage,
    table: Arc<Table>,
    allowed: Allowed,
    also: RwLock<Allowed>,
    counters: Arc<Counters>,
    pace: Mutex<Pace>,
    flights: Mutex<HashMap<Name, watch::Receiver<Progress>>>,
    unknown: Mutex<HashMap<Host, Instant>>,
    places: Semaphore,
    stop: CancellationToken,
}

impl Issuer {
    /// Opens the storage and puts its certificates into the table.
    pub(crate) fn new(
        settings: Acme,
        challenges: Arc<Challenges>,
        table: Arc<Table>,
        allowed: Allowed,
        counters: Arc<Counters>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, OrderError> {
        let store = Store::open(&settings.storage, &settings.directory)?;
        let this = Self {
            accounts: Accounts::new(settings.clone())?,
            store,
            stage: Stage { challenges, provider },
            table,
            allowed,
            also: RwLock::new(Allowed::none()),
            counters,
            pace: Mutex::new(Pace::new(
                settings.retry,
                settings.orders_per_hour,
                settings.owner_orders_per_hour,
                Instant::now(),
            )),
            flights: Mutex::default(),
            unknown: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
            stop: CancellationToken::new(),
            settings,
        };
        for name in this.store.names()? {
            this.take_up(&name, SystemTime::now());
        }
        Ok(this)
    }

    /// Sees to it that there is a certificate for `host`. Waits for the order, which goes on when the wait is over.
    pub(crate) async fn ensure(self: &Arc<Self>, host: &Host) -> Result<(), Refusal> {
        let name = self.name_for(host);
        let holder = self.holder_of(&name).await.ok_or(Refusal::Unknown)?;
        let mut progress = self.order(&name, &holder)?;
        let ended = tokio::time::timeout(self.settings.wait, progress.wait_for(Option::is_some)).await;
        match ended {
            Ok(Ok(outcome)) => outcome.unwrap_or(Err(Refusal::NotNow)),
            Ok(Err(_)) | Err(_) => Err(Refusal::NotNow),
        }
    }

    /// From now on these hosts are ours too, in place of those that were said so before.
    pub(crate) fn also(&self, allowed: Allowed) {
        *self.also.write().unwrap_or_else(PoisonError::into_inner) = allowed;
    }

    /// True if `host` is one that certificates may be ordered for.
    pub(crate) async fn is_ours(&self, host: &Host) -> bool {
        self.holder(host).await.is_some()
    }

    /// Whose `host` is, if certificates may be ordered for it.
    async fn holder(&self, host: &Host) -> Option<Holder> {
        if self.settings.hosts.contains(host) || self.settings.dns_names.iter().any(|name| name.covers(host)) {
            return Some(Holder::Platform);
        }
        if self.is_known_to_be_unknown(host, Instant::now()) {
            return None;
        }
        let also = self.also.read().unwrap_or_else(PoisonError::into_inner).clone();
        let asked = async {
            match (self.allowed.0)(host.clone()).await {
                None => (also.0)(host.clone()).await,
                some => some,
            }
        };
        let holder = tokio::time::timeout(LOOKUP_LIMIT, asked).await.ok().flatten();
        if holder.is_none() {
            self.remember_unknown(host, Instant::now());
        }
        holder
    }

    /// The same for a name. Those below one are ordered for the platform alone.
    async fn holder_of(&self, name: &Name) -> Option<Holder> {
        match name {
            Name::Exactly(host) => self.holder(host).await,
            Name::Below(_) => self.settings.dns_names.contains(name).then_some(Holder::Platform),
        }
    }

    fn is_known_to_be_unknown(&self, host: &Host, now: Instant) -> bool {
        let unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        unknown.get(host).is_some_and(|until| *until > now)
    }

    fn remember_unknown(&self, host: &Host, now: Instant) {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() >= UNKNOWN_MOST {
            unknown.retain(|_, until| *until > now);
        }
        if unknown.len() >= UNKNOWN_MOST {
            // Somebody makes names up. Forgetting all costs look-ups, remembering all costs memory.
            unknown.clear();
        }
        unknown.insert(host.clone(), now + UNKNOWN_KEPT);
    }

    /// The name to order for `host`: the one that is ordered by DNS anyhow, if it covers the host.
    fn name_for(&self, host: &Host) -> Name {
        let by_dns = host.candidates().find(|name| self.settings.dns_names.contains(name));
        by_dns.unwrap_or_else(|| Name::Exactly(host.clone()))
    }

    /// Begins an order for `name`, or joins the one that is under way.
    fn order(self: &Arc<Self>, name: &Name, holder: &Holder) -> Result<watch::Receiver<Progress>, Refusal> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = flights.get(name) {
            return Ok(progress.clone());
        }
        let begun = self.pace.lock().unwrap_or_else(PoisonError::into_inner).begin(name, holder, Instant::now());
        let attempt = begun.map_err(|wait| {
            tracing::debug!(%name, seconds = wait.as_secs_f32(), "no certificate is ordered before this wait is over");
            Refusal::NotNow
        })?;
        let (sender, progress) = watch::channel(None);
        flights.insert(name.clone(), progress.clone());
        let flight = Flight { issuer: self.clone(), name: name.clone(), sender };
        tokio::spawn(flight.run(attempt));
        Ok(progress)
    }

    async fn obtain(&self, name: &Name, attempt: u32) -> Result<(), OrderError> {
        let _place = self.places.acquire().await;
        // Another router that shares the storage may have been quicker.
        if self.take_up(name, SystemTime::now()) {
            return Ok(());
        }
        let account = self.accounts.get(&self.store).await?;
        Counters::add(&self.counters.orders);
        tracing::info!(%name, attempt, "a certificate is ordered");
        let text = order::place(&account, name, &self.proof(name, attempt), &self.stage).await?;
        let certificate = self.read(&text)?;
        if !certificate.names.contains(name) {
            return Err(OrderError::OtherNames);
        }
        self.store.keep_certificate(name, &text)?;
        self.table.set_ordered(name.clone(), certificate);
        Ok(())
    }

    fn read(&self, text: &str) -> Result<Certificate, OrderError> {
        let text = text.as_bytes();
        Ok(Certificate::from_pem(text, text, &self.stage.provider, SystemTime::now())?)
    }

    /// Each attempt uses the next way, so that a port that cannot be reached does not stand in the way for ever.
    fn proof(&self, name: &Name, attempt: u32) -> Proof {
        let hook = self.settings.dns_hook.as_ref().filter(|_| self.settings.dns_names.contains(name));
        if let Some(program) = hook {
            return Proof::Dns(Hook { program: program.clone(), limit: self.settings.dns_hook_timeout });
        }
        let kinds = &self.settings.challenges;
        let kind = kinds.get(attempt as usize % kinds.len().max(1)).copied();
        Proof::Shown(kind.unwrap_or(super::ChallengeKind::Http01))
    }

    /// Puts the stored certificate for `name` into the table if it is fresh and newer than the one there.
    fn take_up(&self, name: &Name, now: SystemTime) -> bool {
        let stored = match self.store.certificate(name) {
            Ok(Some(text)) => self.read(&text),
            Ok(None) => return false,
            Err(error) => Err(error.into()),
        };
        let certificate = match stored {
            Ok(certificate) => certificate,
            Err(OrderError::Unusable(crate::tls::CertificateError::Expired(_))) => return false,
            Err(error) => {
                tracing::error!(%name, cause = chain(&error), "a stored certificate is passed over");
                return false;
            }
        };
        let newer = self.table.ordered(name, now).is_none_or(|current| current.not_after < certificate.not_after);
        let fresh = renewal::due(name, &certificate) > now;
        if newer {
            self.table.set_ordered(name.clone(), certificate);
        }
        newer && fresh
    }

    /// Orders what is configured and what is due, until `shutdown`.
    pub(crate) async fn run(self: &Arc<Self>, shutdown: &CancellationToken) {
        loop {
            let pause = self.order_what_is_due(SystemTime::now()).await;
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.table.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.stop.cancel();
    }

    async fn order_what_is_due(self: &Arc<Self>, now: SystemTime) -> Duration {
        let mut pause = LONGEST_PAUSE;
        let have = self.table.all_ordered();
        let missing = self.settings.dns_names.iter().filter(|name| have.iter().all(|(other, _)| other != *name));
        let mut wanted: Vec<_> = missing.cloned().collect();
        for (name, certificate) in &have {
            match renewal::due(name, certificate).duration_since(now) {
                Ok(left) if !left.is_zero() => pause = pause.min(left),
                _ => wanted.push(name.clone()),
            }
        }
        for name in wanted {
            if let Some(holder) = self.holder_of(&name).await {
                // While it is under way or has to wait, this is looked at again and again, at little cost.
                let _ = self.order(&name, &holder);
                pause = pause.min(self.settings.retry);
            }
        }
        pause.max(SHORTEST_PAUSE)
    }
}

/// One order under way. Its end is told even if it panics.
struct Flight {
    issuer: Arc<Issuer>,
    name: Name,
    sender: watch::Sender<Progress>,
}

impl Flight {
    async fn run(self, attempt: u32) {
        let (issuer, name) = (self.issuer.clone(), self.name.clone());
        let obtained = tokio::time::timeout(ORDER_LIMIT, issuer.obtain(&name, attempt));
        let outcome = tokio::select! {
            outcome = obtained => outcome.unwrap_or(Err(OrderError::TooLong)),
            () = issuer.stop.cancelled() => return,
        };
        match outcome {
            Ok(()) => self.succeeded(),
            Err(error) => self.failed(&error).await,
        }
    }

    fn succeeded(self) {
        self.issuer.pace.lock().unwrap_or_else(PoisonError::into_inner).succeeded(&self.name);
        tracing::info!(name = %self.name, "a certificate is in use");
        let _ = self.sender.send(Some(Ok(())));
    }

    async fn failed(self, error: &OrderError) {
        Counters::add(&self.issuer.counters.failed_orders);
        self.issuer.accounts.failed(error, &self.issuer.store).await;
        let wait = {
            let mut pace = self.issuer.pace.lock().unwrap_or_else(PoisonError::into_inner);
            pace.failed(&self.name, error.is_rate_limit(), Instant::now())
        };
        tracing::error!(
            name = %self.name,
            cause = chain(error),
            retry_seconds = wait.as_secs_f32(),
            "a certificate could not be had"
        );
        let _ = self.sender.send(Some(Err(Refusal::NotNow)));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.issuer.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}
