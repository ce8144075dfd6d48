//! A certificate chain with its key, checked before it is used.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::host::{Host, Name};

/// Why a chain and a key are of no use.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// There is no certificate in the text.
    #[error("there is no PEM certificate in it")]
    NoCertificate,
    /// There is no private key in the text.
    #[error("there is no PEM private key in it")]
    NoKey,
    /// The certificate's insides are not understood.
    #[error("the certificate is malformed")]
    Malformed,
    /// The key is of a kind that is not known, or it belongs to another certificate.
    #[error("the private key does not belong to the certificate, or is of a kind that is not supported")]
    KeyMismatch(#[source] rustls::Error),
    /// The certificate's time is over.
    #[error("the certificate expired {0} seconds ago")]
    Expired(u64),
    /// The certificate names no host by a subject alternative name.
    #[error("the certificate names no host (it has no DNS subject alternative name)")]
    Nameless,
}

/// A chain and its key, good for some names until some time.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) names: Vec<Name>,
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
}

impl Certificate {
    /// Reads a chain (the host's own certificate first) and its key, and checks that they can be used at `now`.
    pub(super) fn from_pem(
        chain: &[u8],
        key: &[u8],
        provider: &CryptoProvider,
        now: SystemTime,
    ) -> Result<Self, CertificateError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(|_| CertificateError::NoCertificate)?;
        let leaf = chain.first().ok_or(CertificateError::NoCertificate)?;
        let (_, parsed) = X509Certificate::from_der(leaf).map_err(|_| CertificateError::Malformed)?;
        let names = names_of(&parsed)?;
        let not_before = time_of(parsed.validity().not_before.timestamp());
        let not_after = time_of(parsed.validity().not_after.timestamp());
        if let Ok(ago) = now.duration_since(not_after) {
            return Err(CertificateError::Expired(ago.as_secs()));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateError::NoKey)?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(CertificateError::KeyMismatch)?;
        Ok(Self { key: Arc::new(key), names, not_before, not_after })
    }

    /// True if this certificate is good for `host`.
    pub(super) fn covers(&self, host: &Host) -> bool {
        self.names.iter().any(|name| name.covers(host))
    }

    pub(super) fn is_expired(&self, now: SystemTime) -> bool {
        now >= self.not_after
    }
}

fn names_of(certificate: &X509Certificate<'_>) -> Result<Vec<Name>, CertificateError> {
    let extension = certificate.subject_alternative_name().map_err(|_| CertificateError::Malformed)?;
    let names = extension.iter().flat_map(|extension| &extension.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(text) => text.parse().ok(),
        _ => None,
    });
    let names: Vec<_> = names.collect();
    if names.is_empty() { Err(CertificateError::Nameless) } else { Ok(names) }
}

fn time_of(seconds: i64) -> SystemTime {
    u64::try_from(seconds).map_or(UNIX_EPOCH, |seconds| UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A certificate by nobody in particular, and its key, both as PEM.
    pub(in crate::tls) fn pem(names: &[&str]) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn read(chain: &str, key: &str, now: SystemTime) -> Result<Certificate, CertificateError> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        Certificate::from_pem(chain.as_bytes(), key.as_bytes(), &provider, now)
    }

    #[test]
    fn names_and_times_are_read() {
        let (chain, key) = pem(&["example.com", "*.example.com"]);
        let certificate = read(&chain, &key, SystemTime::now()).unwrap();
        assert!(certificate.covers(&"example.com".parse().unwrap()));
        assert!(certificate.covers(&"alice.example.com".parse().unwrap()));
        assert!(!certificate.covers(&"alice.example.org".parse().unwrap()));
        assert!(certificate.not_before < SystemTime::now() && certificate.not_after > SystemTime::now());
    }

    #[test]
    fn each_thing_that_is_wrong_has_its_sentence() {
        let now = SystemTime::now();
        let (chain, key) = pem(&["example.com"]);
        let (_, other) = pem(&["example.com"]);
        let (address, address_key) = pem(&["10.0.0.1"]);
        let late = now + Duration::from_secs(3000 * 365 * 86400);
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cases = [
            (read("", &key, now), "no PEM certificate"),
            (read(&key, &key, now), "no PEM certificate"),
            (read(&chain, "", now), "no PEM private key"),
            (read(&chain, &chain, now), "no PEM private key"),
            (read(garbage, &key, now), "malformed"),
            (read(&chain, &other, now), "does not belong"),
            (read(&chain, &key, late), "expired"),
            (read(&address, &address_key, now), "names no host"),
        ];
        for (result, expected) in cases {
            let text = result.unwrap_err().to_string();
            assert!(text.contains(expected), "{text} has no '{expected}'");
        }
    }
}
