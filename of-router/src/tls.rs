//! Encryption at the edge: certificates from files or from an authority, handshakes, and the plain port beside them.

mod accept;
mod acme;
mod certificate;
mod counters;
mod files;
mod host;
mod plain;
mod settings;
mod table;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use sdk::failure::chain;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use accept::AcceptError;
pub use acme::{Allowed, ChallengeKind, Holder, InvalidChallenge};
pub use certificate::CertificateError;
pub use counters::Counters;
pub use files::FileError;
pub use host::{Host, InvalidHost, Name};
pub use plain::Plain;
pub use settings::{Acme, ExternalAccount, Files, Settings};
pub use table::{Expiry, Source};

use accept::Configs;
use acme::{Challenges, Issuer};
use files::FileCertificates;
use table::Table;

/// How often it is written down when certificates end.
const REPORT: Duration = Duration::from_secs(86400);

/// Why there can be no encryption.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The cryptographic library refuses.
    #[error("TLS cannot be set up")]
    Rustls(#[from] rustls::Error),
    /// `tls_certificate` with `tls_private_key`, or `tls_certificate_folder`, is of no use.
    #[error("the certificate of the configuration cannot be used")]
    File(#[from] FileError),
    /// The folder holds no pair that can be used, and there is no authority to ask.
    #[error("tls_certificate_folder holds no certificate: it needs pairs <host>.crt and <host>.key")]
    NoCertificate,
    /// Certificates cannot be ordered.
    #[error("certificates cannot be ordered: see acme_storage and acme_ca_file")]
    Acme(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Everything about encryption that connections share. One per process; [`Edge::run`] keeps it up to date.
pub struct Edge {
    settings: Settings,
    provider: Arc<CryptoProvider>,
    table: Arc<Table>,
    challenges: Arc<Challenges>,
    issuer: Option<Arc<Issuer>>,
    files: Mutex<FileCertificates>,
    configs: Configs,
    counters: Arc<Counters>,
    hsts: Option<(http::HeaderValue, http::HeaderValue)>,
    reload: Notify,
}

impl Edge {
    /// Reads the certificates that are there. `allowed` knows which further hosts may have one ordered.
    ///
    /// # Errors
    /// When the pair of files in the configuration is wrong, a folder holds nothing of use, or the storage cannot be
    /// written. An authority that cannot be reached is no error.
    pub fn new(settings: Settings, allowed: Allowed) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let (table, challenges, counters) = (Arc::<Table>::default(), Arc::<Challenges>::default(), Arc::default());
        let files = first_look(&settings, &provider, &table)?;
        let order = |acme: Acme| {
            let (table, challenges) = (table.clone(), challenges.clone());
            Issuer::new(acme, challenges, table, allowed, Arc::clone(&counters), provider.clone())
        };
        let issuer = settings.acme.clone().map(order).transpose().map_err(|error| TlsError::Acme(Box::new(error)))?;
        Ok(Self {
            configs: Configs::new(table.clone(), challenges.clone(), &provider)?,
            hsts: plain::hsts(settings.hsts.as_secs(), settings.hsts_include_subdomains),
            issuer: issuer.map(Arc::new),
            files: Mutex::new(files),
            reload: Notify::new(),
            settings,
            provider,
            table,
            challenges,
            counters,
        })
    }

    /// Watches files, orders and renews certificates, and reports when they end, until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        let orders = async {
            match &self.issuer {
                Some(issuer) => issuer.run(&shutdown).await,
                None => shutdown.cancelled().await,
            }
        };
        tokio::select! {
            () = orders => {}
            () = self.watch() => {}
            () = self.report() => {}
        }
    }

    /// Looks at the files now and not at the next interval. For SIGHUP.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// Lets certificates be ordered for these hosts too, in place of those that were allowed by this before: hosts that
    /// become known only while requests are served.
    pub fn also(&self, allowed: Allowed) {
        self.issuer.iter().for_each(|issuer| issuer.also(allowed.clone()));
    }

    /// When each certificate ends, the next to end first.
    pub fn expiries(&self) -> Vec<Expiry> {
        self.table.expiries()
    }

    /// What was counted since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    async fn watch(&self) {
        loop {
            tokio::select! {
                () = self.reload.notified() => {}
                () = tokio::time::sleep(self.settings.reload_interval) => {}
            }
            // A few calls of stat, and now and then some small files: not worth a thread.
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            let (changed, errors) = files.look(&self.provider, SystemTime::now());
            files::complain(&errors);
            if changed {
                self.table.set_files(files.certificates());
                tracing::info!("certificates were read from files anew");
            }
        }
    }

    async fn report(&self) {
        loop {
            for expiry in self.expiries() {
                let now = SystemTime::now();
                let days = expiry.days_left(now);
                if expiry.is_near(now) {
                    tracing::warn!(name = expiry.name, source = ?expiry.source, days, "a certificate ends soon");
                } else {
                    tracing::info!(name = expiry.name, source = ?expiry.source, days, "a certificate's time");
                }
            }
            tokio::time::sleep(REPORT).await;
        }
    }
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge").field("expiries", &self.expiries()).finish_non_exhaustive()
    }
}

/// At the start there is no last good certificate: what the configuration names has to be right. In a folder, one bad
/// pair does not stop the others.
fn first_look(settings: &Settings, provider: &CryptoProvider, table: &Table) -> Result<FileCertificates, TlsError> {
    let mut files = FileCertificates::new(settings.files.clone());
    let (_, errors) = files.look(provider, SystemTime::now());
    for error in errors {
        if error.is_about(&settings.files) {
            return Err(error.into());
        }
        tracing::error!(cause = chain(&error), "a certificate's file is passed over");
    }
    let certificates = files.certificates();
    if certificates.is_empty() && settings.files.folder.is_some() && settings.acme.is_none() {
        return Err(TlsError::NoCertificate);
    }
    table.set_files(certificates);
    Ok(files)
}
