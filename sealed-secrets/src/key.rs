//! A stage's private key with its certificate.

use std::fmt;
use std::time::SystemTime;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use chrono::{DateTime, Days, Utc};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use crate::certificate::{Certificate, CertificateError, KEY_BITS, PEM_LABEL};

pub(crate) mod pem;

/// Who a certificate says that it is.
const COMMON_NAME: &str = "sealed-secrets";
/// A private key as this crate and most programs write it.
const PKCS8: &str = "PRIVATE KEY";
/// A private key as the controller of Bitnami Labs writes it.
const PKCS1: &str = "RSA PRIVATE KEY";
/// For how long a certificate is good unless its maker says otherwise.
const USUAL_DAYS: Days = Days::new(3650);

/// A private key and its certificate.
pub struct KeyPair {
    certificate: Certificate,
    private_key: SecretSlice<u8>,
    decrypting_key: OaepPrivateDecryptingKey,
}

/// Why there is no key pair.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No key.
    #[error("there is no private key in it: it must have «-----BEGIN PRIVATE KEY-----», without a password")]
    MissingKey,
    /// A key that cannot be used.
    #[error("the private key is damaged, or is not an RSA key of 2,048 to 8,192 bits")]
    BadKey,
    /// A block that ends early or is not base64.
    #[error("the PEM text is damaged")]
    Damaged,
    /// A certificate that cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Two things that do not belong together.
    #[error("the certificate is for another private key")]
    Mismatch,
    /// The library could not make one.
    #[error("no key could be generated")]
    Generate,
}

impl KeyPair {
    /// A new key of 4,096 bits and its self-signed certificate, good from `now` on for `validity`; ten years are usual
    /// ([`KeyPair::usual_end`]). Takes up to some seconds of a processor.
    ///
    /// # Errors
    /// When the library fails, or a time has no year of four digits.
    pub fn generate(now: DateTime<Utc>, validity: chrono::Duration) -> Result<Self, KeyError> {
        let until = now.checked_add_signed(validity).ok_or(KeyError::Generate)?;
        let key = PrivateDecryptingKey::generate(KeySize::Rsa4096).map_err(|_| KeyError::Generate)?;
        let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| KeyError::Generate)?;
        let certificate = self_signed(der.as_ref(), now, until)?;
        Self::new(der.as_ref(), certificate)
    }

    /// When the certificate of a key that is made now ends, usually: after ten years.
    pub fn usual_end(now: DateTime<Utc>) -> DateTime<Utc> {
        now.checked_add_days(USUAL_DAYS).unwrap_or(now)
    }

    /// The one key of a PEM text with its certificate, in any order.
    ///
    /// # Errors
    /// When one of them is missing, damaged, or does not belong to the other.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let mut pairs = many_from_pem(text)?;
        match pairs.len() {
            1 => pairs.pop().ok_or(KeyError::MissingKey),
            0 => Err(KeyError::MissingKey),
            _ => Err(KeyError::Mismatch),
        }
    }

    /// The private key (PKCS#8), then the certificate.
    pub fn to_pem(&self) -> SecretString {
        let mut text = Zeroizing::new(pem::write(PKCS8, self.private_key.expose_secret()));
        text.push_str(&self.certificate.to_pem());
        std::mem::take(&mut *text).into()
    }

    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(crate) fn decrypting_key(&self) -> &OaepPrivateDecryptingKey {
        &self.decrypting_key
    }

    fn new(pkcs8: &[u8], certificate: Certificate) -> Result<Self, KeyError> {
        let key = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| KeyError::BadKey)?;
        let decrypting_key = OaepPrivateDecryptingKey::new(key).map_err(|_| KeyError::BadKey)?;
        Ok(Self { certificate, private_key: pkcs8.to_vec().into(), decrypting_key })
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// All keys of a PEM text, each with the certificate that is for it. Certificates without a key are passed over; there
/// must be one for each key.
pub(crate) fn many_from_pem(text: &str) -> Result<Vec<KeyPair>, KeyError> {
    let blocks = pem::blocks(text).map_err(|_| KeyError::Damaged)?;
    let certificates = blocks
        .iter()
        .filter(|block| block.label == PEM_LABEL)
        .map(|block| Certificate::from_der(block.content()))
        .collect::<Result<Vec<_>, _>>()?;
    let mut pairs = Vec::new();
    for block in blocks.iter().filter(|block| block.label.ends_with(PKCS8)) {
        let (pkcs8, public_key) = private_key(&block.label, block.content())?;
        let own = certificates.iter().find(|certificate| certificate.public_key() == public_key);
        let own = own.ok_or(if certificates.is_empty() {
            KeyError::Certificate(CertificateError::Missing)
        } else {
            KeyError::Mismatch
        })?;
        pairs.push(KeyPair::new(&pkcs8, own.clone())?);
    }
    Ok(pairs)
}

/// A private key as PKCS#8, and its public half as a `SubjectPublicKeyInfo`.
fn private_key(label: &str, der: &[u8]) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), KeyError> {
    let key = match label {
        PKCS8 => RsaKeyPair::from_pkcs8(der),
        PKCS1 => RsaKeyPair::from_der(der),
        _ => return Err(KeyError::MissingKey),
    }
    .map_err(|_| KeyError::BadKey)?;
    if !KEY_BITS.contains(&(key.public_modulus_len() * 8)) {
        return Err(KeyError::BadKey);
    }
    let pkcs8: Pkcs8V1Der<'_> = key.as_der().map_err(|_| KeyError::BadKey)?;
    let pkcs8 = Zeroizing::new(pkcs8.as_ref().to_vec());
    let public = PrivateDecryptingKey::from_pkcs8(&pkcs8).map_err(|_| KeyError::BadKey)?.public_key();
    let public = public.as_der().map_err(|_| KeyError::BadKey)?;
    Ok((pkcs8, public.as_ref().to_vec()))
}

/// A certificate that says nothing but whose it is and how long it is good. `kubeseal` and the controller look at no more.
fn self_signed(pkcs8: &[u8], from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Certificate, KeyError> {
    let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.into(), &rcgen::PKCS_RSA_SHA256)
        .map_err(|_| KeyError::Generate)?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, COMMON_NAME);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_before = SystemTime::from(from).into();
    params.not_after = SystemTime::from(until).into();
    let signed = params.self_signed(&key).map_err(|_| KeyError::Generate)?;
    Ok(Certificate::from_der(signed.der())?)
}
