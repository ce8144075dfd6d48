//! What a queue is told when it is opened.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// How much a queue may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls that wait or run; more are refused. On JetStream this holds for each queue.
    pub calls: usize,
    /// Dead letters kept; the oldest go first.
    pub dead: usize,
    /// Larger bodies are files of their own.
    pub inline_body: usize,
    /// Bytes that these files may have, all together.
    pub body_files: u64,
}

/// What holds for either store.
#[derive(Debug, Clone)]
pub struct Options {
    /// How much it may hold.
    pub limits: Limits,
    /// How long a claimed call belongs to who claimed it, without a sign of life.
    pub lease: Duration,
    /// The namespace of the functions in a file of the first format, which knew only one.
    pub former_namespace: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits { calls: 200_000, dead: 10_000, inline_body: 128 << 10, body_files: 16 << 30 },
            lease: Duration::from_secs(60),
            former_namespace: "openfaas-fn".to_owned(),
        }
    }
}

/// Where NATS is, and as whom to go there.
#[derive(Debug, Clone)]
pub struct Nats {
    /// `host:port`, or `nats://…` or `tls://…`; several of one cluster with commas between them.
    pub address: String,
    /// As whom.
    pub credentials: Credentials,
    /// Certificates of authorities to trust beside the system's, as a PEM file.
    pub authorities: Option<PathBuf>,
    /// How many servers of a cluster keep each message.
    pub replicas: usize,
}

impl Nats {
    /// One server that asks for no credentials.
    pub fn at(address: impl Into<String>) -> Self {
        Self { address: address.into(), credentials: Credentials::None, authorities: None, replicas: 1 }
    }
}

/// How a client proves to NATS who it is.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// It need not.
    None,
    /// By name and password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// By a token.
    Token(SecretString),
    /// By the seed of an nkey.
    Seed(SecretString),
    /// By the content of a `.creds` file.
    File(SecretString),
}
