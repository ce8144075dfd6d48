//! Proofs that the authority comes to look at, for as long as an order is open.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::OrderError;
use crate::tls::host::Host;

/// All proofs that are out at the moment.
#[derive(Debug, Default)]
pub(crate) struct Challenges {
    texts: RwLock<HashMap<(Host, String), String>>,
    certificates: RwLock<HashMap<Host, Arc<CertifiedKey>>>,
}

/// One proof; it is taken back when this is dropped.
pub(super) struct Shown {
    challenges: Arc<Challenges>,
    host: Host,
    token: Option<String>,
}

impl Challenges {
    /// The text at `/.well-known/acme-challenge/<token>` of `host`.
    pub(crate) fn text(&self, host: &Host, token: &str) -> Option<String> {
        read(&self.texts, &(host.clone(), token.to_owned()))
    }

    pub(super) fn show_text(self: &Arc<Self>, host: &Host, token: &str, text: &str) -> Shown {
        let key = (host.clone(), token.to_owned());
        self.texts.write().unwrap_or_else(PoisonError::into_inner).insert(key, text.to_owned());
        Shown { challenges: self.clone(), host: host.clone(), token: Some(token.to_owned()) }
    }

    /// Shows a certificate for `host` that holds the digest of the key authorisation (RFC 8737).
    pub(super) fn show_certificate(
        self: &Arc<Self>,
        host: &Host,
        digest: &[u8],
        provider: &CryptoProvider,
    ) -> Result<Shown, OrderError> {
        let certificate = proof(host, digest, provider)?;
        self.certificates.write().unwrap_or_else(PoisonError::into_inner).insert(host.clone(), certificate);
        Ok(Shown { challenges: self.clone(), host: host.clone(), token: None })
    }
}

impl ResolvesServerCert for Challenges {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        read(&self.certificates, &hello.server_name()?.parse().ok()?)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        match self.token.take() {
            Some(token) => {
                let mut texts = self.challenges.texts.write().unwrap_or_else(PoisonError::into_inner);
                texts.remove(&(self.host.clone(), token));
            }
            None => {
                let mut shown = self.challenges.certificates.write().unwrap_or_else(PoisonError::into_inner);
                shown.remove(&self.host);
            }
        }
    }
}

fn read<K: Hash + Eq, V: Clone>(map: &RwLock<HashMap<K, V>>, key: &K) -> Option<V> {
    map.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
}

fn proof(host: &Host, digest: &[u8], provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, OrderError> {
    let key = rcgen::KeyPair::generate().map_err(OrderError::Proof)?;
    let mut params = rcgen::CertificateParams::new(vec![host.to_string()]).map_err(OrderError::Proof)?;
    params.custom_extensions = vec![rcgen::CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key).map_err(OrderError::Proof)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // The library's check whether both belong together stops at the extension that makes this a proof.
    let key = provider.key_provider.load_private_key(key).map_err(OrderError::ProofKey)?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_one_host_s_and_gone_when_the_order_is_over() {
        let challenges = Arc::new(Challenges::default());
        let host = |text: &str| text.parse::<Host>().unwrap();
        let shown = challenges.show_text(&host("a.example.com"), "token", "text");
        assert_eq!(challenges.text(&host("a.example.com"), "token").as_deref(), Some("text"));
        assert_eq!(challenges.text(&host("b.example.com"), "token"), None);
        assert_eq!(challenges.text(&host("a.example.com"), "other"), None);
        drop(shown);
        assert_eq!(challenges.text(&host("a.example.com"), "token"), None);
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let shown = challenges.show_certificate(&host("a.example.com"), &[7; 32], &provider).unwrap();
        assert!(read(&challenges.certificates, &host("a.example.com")).is_some());
        drop(shown);
        assert!(read(&challenges.certificates, &host("a.example.com")).is_none());
    }
}
