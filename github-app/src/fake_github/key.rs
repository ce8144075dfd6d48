//! The App's key, made anew in each process: a key in a repository looks like a leak, and becomes one.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What stands before the PKCS #1 form of a 2048 bit key in its PKCS #8 form (RFC 5208), in bytes.
const PKCS8_HEADER: usize = 26;

/// An RSA key.
#[derive(Debug)]
pub struct PrivateKey {
    pkcs8: Vec<u8>,
    /// The public half, as PKCS #1.
    pub(super) public: Vec<u8>,
}

/// The App's key.
pub fn app_key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(PrivateKey::generate)
}

impl PrivateKey {
    /// A new key of 2048 bits.
    ///
    /// # Panics
    /// When the system has no random numbers.
    #[expect(clippy::expect_used, reason = "for tests")]
    pub fn generate() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("no random numbers");
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).expect("a new key can be written");
        Self { pkcs8: der.as_ref().to_vec(), public: pair.public_key().as_ref().to_vec() }
    }

    /// As GitHub gives it: PEM of PKCS #1.
    pub fn pkcs1(&self) -> String {
        pem("RSA PRIVATE KEY", &self.pkcs8[PKCS8_HEADER..])
    }

    /// PEM of PKCS #8.
    pub fn pkcs8(&self) -> String {
        pem("PRIVATE KEY", &self.pkcs8)
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
    format!("-----BEGIN {label}-----\n{}-----END {label}-----\n", lines.collect::<String>())
}
