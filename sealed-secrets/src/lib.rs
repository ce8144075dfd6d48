#![doc = include_str!("../README.md")]

mod certificate;
pub mod documents;
mod envelope;
mod key;
mod keyring;

pub use certificate::{Certificate, CertificateError};
pub use documents::SealedSecret;
pub use envelope::{MAX_VALUE_BYTES, SealError, seal};
pub use key::{KeyError, KeyPair};
pub use keyring::{Damage, Keyring, KeyringError, OpenError, Opened, Scope};
