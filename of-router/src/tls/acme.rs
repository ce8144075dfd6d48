//! Certificates from an authority, by ACME (RFC 8555).

mod account;
mod challenges;
mod client;
mod hook;
mod issuer;
mod order;
mod pace;
mod renewal;
mod store;

use std::str::FromStr;

pub(super) use challenges::Challenges;
pub use issuer::{Allowed, Holder};
pub(super) use issuer::{Issuer, Refusal};

/// How a host is proven to be ours when its certificate is ordered on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeKind {
    /// A text at `http://<host>/.well-known/acme-challenge/`, port 80.
    Http01,
    /// A certificate shown to a handshake for `acme-tls/1`, port 443.
    TlsAlpn01,
}

/// Text that names no such way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has to be http-01 or tls-alpn-01")]
pub struct InvalidChallenge;

impl FromStr for ChallengeKind {
    type Err = InvalidChallenge;

    fn from_str(text: &str) -> Result<Self, InvalidChallenge> {
        match text {
            "http-01" => Ok(Self::Http01),
            "tls-alpn-01" => Ok(Self::TlsAlpn01),
            _ => Err(InvalidChallenge),
        }
    }
}

/// Why no certificate was given.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    #[error("the authority cannot be asked")]
    Client(#[source] reqwest::Error),
    #[error("the file with the authority's own certificates cannot be used")]
    CaFile(#[source] std::io::Error),
    #[error("the authority did not do as it was asked")]
    Acme(#[from] instant_acme::Error),
    #[error("the authority does not prove {0} in any way that is configured")]
    NotOffered(String),
    #[error("the authority did not find the proof: {0}")]
    NotProven(String),
    #[error("no proof by certificate can be made")]
    Proof(#[source] rcgen::Error),
    #[error("no proof by certificate can be used")]
    ProofKey(#[source] rustls::Error),
    #[error("the program that changes DNS records failed: {0}")]
    Hook(String),
    #[error("the program that changes DNS records cannot be run")]
    HookStart(#[source] std::io::Error),
    #[error("the certificate that was given is not usable")]
    Unusable(#[from] super::CertificateError),
    #[error("the certificate that was given is for other names")]
    OtherNames,
    #[error("the folder for certificates cannot be used")]
    Storage(#[from] std::io::Error),
    #[error("the account's file is damaged")]
    AccountFile(#[source] serde_json::Error),
    #[error("it took too long")]
    TooLong,
}

impl OrderError {
    fn problem(&self) -> Option<&str> {
        match self {
            Self::Acme(instant_acme::Error::Api(problem)) => problem.r#type.as_deref()?.rsplit(':').next(),
            _ => None,
        }
    }

    /// True if the authority wants to be left alone for a while.
    fn is_rate_limit(&self) -> bool {
        self.problem() == Some("rateLimited")
    }

    /// True if the authority has forgotten us.
    fn is_unknown_account(&self) -> bool {
        self.problem() == Some("accountDoesNotExist")
    }
}
