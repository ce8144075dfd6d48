//! Which certificate is shown for which host.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::Notify;

use super::certificate::Certificate;
use super::host::{Host, Name};

type Map = HashMap<Name, Arc<Certificate>>;

/// Where a certificate came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Files that somebody else looks after.
    File,
    /// The certificate authority, which is asked for the next one in time.
    Acme,
}

/// When a certificate ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// Its first name.
    pub name: String,
    /// Where it came from.
    pub source: Source,
    /// When it began.
    pub not_before: SystemTime,
    /// When it ends.
    pub not_after: SystemTime,
}

impl Expiry {
    /// The days that are left at `now`; negative when it has ended.
    pub fn days_left(&self, now: SystemTime) -> f64 {
        const DAY: f64 = 86400.0;
        match self.not_after.duration_since(now) {
            Ok(left) => left.as_secs_f64() / DAY,
            Err(over) => -over.duration().as_secs_f64() / DAY,
        }
    }

    /// True if somebody should look into it: a week is left, or a quarter of a shorter life.
    pub fn is_near(&self, now: SystemTime) -> bool {
        let lifetime = self.not_after.duration_since(self.not_before).unwrap_or_default();
        self.not_after.duration_since(now).unwrap_or_default() < (lifetime / 4).min(WEEK)
    }
}

const WEEK: Duration = Duration::from_secs(7 * 86400);

/// All certificates there are. Handshakes read it; whoever has a newer certificate puts it in.
#[derive(Debug, Default)]
pub(super) struct Table {
    files: RwLock<Map>,
    acme: RwLock<Map>,
    changed: Notify,
}

impl Table {
    /// The certificate for `host`: one that names it before a wildcard, a file before an ordered one.
    pub(super) fn find(&self, host: &Host, now: SystemTime) -> Option<Arc<Certificate>> {
        host.candidates().find_map(|name| self.file(&name).or_else(|| self.ordered(&name, now)))
    }

    fn file(&self, name: &Name) -> Option<Arc<Certificate>> {
        // An expired one is shown all the same: what a client says about it is clearer than silence.
        self.files.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The certificate that the authority gave for exactly this name, if its time is not over.
    pub(super) fn ordered(&self, name: &Name, now: SystemTime) -> Option<Arc<Certificate>> {
        let map = self.acme.read().unwrap_or_else(PoisonError::into_inner);
        map.get(name).filter(|certificate| !certificate.is_expired(now)).cloned()
    }

    /// Replaces all certificates that are from files.
    pub(super) fn set_files(&self, certificates: impl IntoIterator<Item = Arc<Certificate>>) {
        let mut map = Map::new();
        for certificate in certificates {
            for name in &certificate.names {
                // Of two for one name the one that lasts longer is the newer one.
                let best = map.get(name).filter(|other| other.not_after >= certificate.not_after);
                if best.is_none() {
                    map.insert(name.clone(), certificate.clone());
                }
            }
        }
        *self.files.write().unwrap_or_else(PoisonError::into_inner) = map;
    }

    /// Puts in what the authority gave for `name`.
    pub(super) fn set_ordered(&self, name: Name, certificate: Certificate) {
        self.acme.write().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::new(certificate));
        self.changed.notify_one();
    }

    /// Resolves when a certificate of the authority's was put in; for one who waits.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The names that the authority gave certificates for, with the certificates.
    pub(super) fn all_ordered(&self) -> Vec<(Name, Arc<Certificate>)> {
        let map = self.acme.read().unwrap_or_else(PoisonError::into_inner);
        map.iter().map(|(name, certificate)| (name.clone(), certificate.clone())).collect()
    }

    /// When each certificate ends, the next to end first.
    pub(super) fn expiries(&self) -> Vec<Expiry> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let acme = self.acme.read().unwrap_or_else(PoisonError::into_inner);
        let files = files.iter().map(|(name, certificate)| (name, certificate, Source::File));
        let all = files.chain(acme.iter().map(|(name, certificate)| (name, certificate, Source::Acme)));
        let mut all: Vec<_> = all
            .map(|(name, certificate, source)| Expiry {
                name: name.to_string(),
                source,
                not_before: certificate.not_before,
                not_after: certificate.not_after,
            })
            .collect();
        all.sort_by(|a, b| (a.not_after, &a.name).cmp(&(b.not_after, &b.name)));
        all
    }
}

impl ResolvesServerCert for Table {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host: Host = hello.server_name()?.parse().ok()?;
        Some(self.find(&host, SystemTime::now())?.key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::certificate::tests::pem;

    fn certificate(names: &[&str]) -> Certificate {
        let (chain, key) = pem(names);
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        Certificate::from_pem(chain.as_bytes(), key.as_bytes(), &provider, SystemTime::now()).unwrap()
    }

    #[test]
    fn the_nearest_certificate_is_found() {
        let (table, now) = (Table::default(), SystemTime::now());
        let found = |host: &str, now| table.find(&host.parse().unwrap(), now).map(|found| found.names[0].to_string());
        assert_eq!(found("a.example.com", now), None);
        table.set_ordered("*.example.com".parse().unwrap(), certificate(&["*.example.com"]));
        assert_eq!(found("a.example.com", now).unwrap(), "*.example.com");
        table.set_files([Arc::new(certificate(&["a.example.com"])), Arc::new(certificate(&["b.example.com"]))]);
        assert_eq!(found("a.example.com", now).unwrap(), "a.example.com");
        assert_eq!(found("c.example.com", now).unwrap(), "*.example.com");
        assert_eq!(found("example.com", now), None);
        table.set_files([]);
        assert_eq!(found("a.example.com", now).unwrap(), "*.example.com");
    }

    #[test]
    fn an_ordered_one_is_not_shown_after_its_time_and_a_file_is() {
        let (table, now) = (Table::default(), SystemTime::now());
        let host: Host = "a.example.com".parse().unwrap();
        let mut short = certificate(&["a.example.com"]);
        short.not_after = now + Duration::from_secs(5);
        table.set_ordered(Name::Exactly(host.clone()), short.clone());
        assert!(table.find(&host, now).is_some());
        assert!(table.find(&host, now + Duration::from_secs(5)).is_none());
        table.set_files([Arc::new(short)]);
        assert!(table.find(&host, now + Duration::from_secs(5)).is_some());
        let expiries = table.expiries();
        assert_eq!((expiries[0].source, expiries.len()), (Source::File, 2));
        assert!((expiries[0].days_left(now + Duration::from_secs(5 + 86400)) + 1.0).abs() < 1e-6);
    }

    #[test]
    fn an_end_is_near_when_renewal_should_have_happened() {
        let (begin, day) = (SystemTime::UNIX_EPOCH, 86400);
        let at = |days: u64| begin + Duration::from_secs(days * day);
        let expiry = |days| Expiry { name: "a".into(), source: Source::Acme, not_before: begin, not_after: at(days) };
        assert!(!expiry(90).is_near(at(82)) && expiry(90).is_near(at(84)) && expiry(90).is_near(at(91)));
        assert!(!expiry(6).is_near(at(4)) && expiry(6).is_near(at(5)));
    }
}
