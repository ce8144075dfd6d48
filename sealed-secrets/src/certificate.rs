//! A stage's certificate: its public key, and from when to when that is to be used.

use std::fmt;

use aws_lc_rs::rsa::{OaepPublicEncryptingKey, PublicEncryptingKey};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use x509_parser::oid_registry::OID_PKCS1_RSAENCRYPTION;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

use crate::key::pem;

/// The kind of PEM block that a certificate is in.
pub(crate) const PEM_LABEL: &str = "CERTIFICATE";
/// The longest text that is looked at for a certificate, in bytes.
const MAX_PEM_BYTES: usize = 64 * 1024;
/// Keys that are taken, in bits. Shorter ones can be broken, longer ones take too long.
pub(crate) const KEY_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A certificate with an RSA key of 2,048 to 8,192 bits.
///
/// It is believed because of where it was had from. Nobody signs it but its own key, and that is not looked at.
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    public_key: Vec<u8>,
    fingerprint: String,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
}

/// Why a certificate cannot be used. The sentences are for people.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CertificateError {
    /// No PEM block of the kind.
    #[error("there is no certificate in it: it must be a PEM text with «-----BEGIN CERTIFICATE-----»")]
    Missing,
    /// A PEM block that ends early, or does not hold an X.509 certificate.
    #[error("the certificate is damaged: get it again from the stage")]
    Damaged,
    /// The text is longer than any certificate.
    #[error("this is too long for a certificate: at most {} KiB are read", MAX_PEM_BYTES / 1024)]
    TooLong,
    /// The key is of another kind.
    #[error("the certificate's key is not an RSA key, which is what secrets are sealed with")]
    NotRsa,
    /// The key is too short or too long.
    #[error("the certificate's key has {0} bits; 2,048 to 8,192 are taken, and 4,096 are usual")]
    KeySize(usize),
    /// It is too old.
    #[error("the certificate expired on {}: get the stage's present one", .0.format("%Y-%m-%d %H:%M UTC"))]
    Expired(DateTime<Utc>),
    /// It is from the future.
    #[error("the certificate is good only from {} on: is this machine's clock right?", .0.format("%Y-%m-%d %H:%M UTC"))]
    NotYet(DateTime<Utc>),
}

impl Certificate {
    /// The first certificate of a PEM text; what else is in the text does not matter.
    ///
    /// # Errors
    /// When there is none, or it cannot be used for sealing at any time.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        if text.len() > MAX_PEM_BYTES {
            return Err(CertificateError::TooLong);
        }
        let blocks = pem::blocks(text).map_err(|_| CertificateError::Damaged)?;
        let block = blocks.into_iter().find(|block| block.label == PEM_LABEL).ok_or(CertificateError::Missing)?;
        Self::from_der(block.content())
    }

    /// A certificate in DER.
    ///
    /// # Errors
    /// When it is not one, or it cannot be used for sealing at any time.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| CertificateError::Damaged)?;
        if !rest.is_empty() {
            return Err(CertificateError::Damaged);
        }
        let key = parsed.public_key();
        if key.algorithm.algorithm != OID_PKCS1_RSAENCRYPTION {
            return Err(CertificateError::NotRsa);
        }
        let x509_parser::public_key::PublicKey::RSA(rsa) = key.parsed().map_err(|_| CertificateError::Damaged)? else {
            return Err(CertificateError::NotRsa);
        };
        let bits = rsa.key_size();
        if !KEY_BITS.contains(&bits) {
            return Err(CertificateError::KeySize(bits));
        }
        let public_key = key.raw.to_vec();
        PublicEncryptingKey::from_der(&public_key).map_err(|_| CertificateError::Damaged)?;
        Ok(Self {
            der: der.to_vec(),
            public_key,
            fingerprint: hex::encode(Sha256::digest(der)),
            not_before: time(parsed.validity().not_before)?,
            not_after: time(parsed.validity().not_after)?,
        })
    }

    /// As PEM, with a line feed at the end.
    pub fn to_pem(&self) -> String {
        pem::write(PEM_LABEL, &self.der)
    }

    /// The SHA-256 digest of the certificate, as 64 lower-case hexadecimal digits.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// From when on it is good.
    pub fn not_before(&self) -> DateTime<Utc> {
        self.not_before
    }

    /// Until when it is good.
    pub fn not_after(&self) -> DateTime<Utc> {
        self.not_after
    }

    /// Whether it is good at a time. Only sealing asks: what was sealed opens for ever.
    ///
    /// # Errors
    /// When it is not.
    pub fn check_valid(&self, now: DateTime<Utc>) -> Result<(), CertificateError> {
        if now < self.not_before {
            return Err(CertificateError::NotYet(self.not_before));
        }
        if now > self.not_after {
            return Err(CertificateError::Expired(self.not_after));
        }
        Ok(())
    }

    /// Its key, as a `SubjectPublicKeyInfo`.
    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Its key, ready to encrypt.
    pub(crate) fn encrypting_key(&self) -> Result<OaepPublicEncryptingKey, aws_lc_rs::error::Unspecified> {
        OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&self.public_key)?)
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("fingerprint", &self.fingerprint)
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish()
    }
}

fn time(time: ASN1Time) -> Result<DateTime<Utc>, CertificateError> {
    DateTime::from_timestamp(time.timestamp(), 0).ok_or(CertificateError::Damaged)
}
