//! One handshake.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::Acceptor;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

use super::acme::{Challenges, Refusal};
use super::counters::Counters;
use super::host::Host;
use super::table::Table;
use super::{Edge, TlsError};

/// What an authority's check asks for (RFC 8737).
const ACME_TLS: &[u8] = b"acme-tls/1";
/// RFC 6066: the name is not one of ours.
const UNRECOGNIZED_NAME: u8 = 112;
/// Something on our side is not as it should be.
const INTERNAL_ERROR: u8 = 80;

/// Why there is no encrypted stream.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The client took too long for its part.
    #[error("the handshake took too long")]
    Timeout,
    /// The client names no host, or one that is not ours.
    #[error("the handshake is for a host that is not served here")]
    UnknownHost,
    /// The host is ours, but there is no certificate at the moment.
    #[error("there is no certificate for the host at the moment")]
    NoCertificate,
    /// The client broke off, or wants what is not offered.
    #[error("the handshake failed")]
    Failed(#[from] io::Error),
}

/// What to say to clients, and to an authority's check.
pub(super) struct Configs {
    serving: Arc<ServerConfig>,
    challenge: Arc<ServerConfig>,
}

impl Configs {
    pub(super) fn new(
        table: Arc<Table>,
        challenges: Arc<Challenges>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        let builder =
            || ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&TLS13, &TLS12]);
        let mut serving = builder()?.with_no_client_auth().with_cert_resolver(table);
        serving.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Sessions are resumed with tickets, whose keys change every few hours; nothing is kept per client.
        serving.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        let mut challenge = builder()?.with_no_client_auth().with_cert_resolver(challenges);
        challenge.alpn_protocols = vec![ACME_TLS.to_vec()];
        challenge.send_tls13_tickets = 0;
        Ok(Self { serving: Arc::new(serving), challenge: Arc::new(challenge) })
    }
}

impl Edge {
    /// Makes an encrypted stream of a connection. `None` if it was an authority's check, which is answered and over.
    /// Its protocol is `stream.get_ref().1.alpn_protocol()`: `h2`, `http/1.1`, or none, which means the latter.
    ///
    /// # Errors
    /// When there is none to be had; the client was told by an alert as far as possible.
    pub async fn accept<S>(&self, stream: S) -> Result<Option<TlsStream<S>>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let result = self.handshake(stream).await;
        Counters::add(match &result {
            Ok(Some(_)) => &self.counters.handshakes,
            Ok(None) => &self.counters.challenges,
            Err(AcceptError::Timeout) => &self.counters.timeouts,
            Err(AcceptError::UnknownHost) => &self.counters.unknown_hosts,
            Err(AcceptError::NoCertificate) => &self.counters.no_certificate,
            Err(AcceptError::Failed(_)) => &self.counters.failures,
        });
        result
    }

    async fn handshake<S>(&self, stream: S) -> Result<Option<TlsStream<S>>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let limit = self.settings.handshake_timeout;
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream);
        let start = timeout(limit, hello).await.map_err(|_| AcceptError::Timeout)??;
        let (host, is_check) = {
            let hello = start.client_hello();
            let is_check = hello.alpn().is_some_and(|mut offered| offered.any(|protocol| protocol == ACME_TLS));
            (hello.server_name().and_then(|name| name.parse::<Host>().ok()), is_check)
        };
        let Some(host) = host else {
            return refuse(start, UNRECOGNIZED_NAME, AcceptError::UnknownHost, limit).await;
        };
        if is_check {
            let mut stream = finish(start, &self.configs.challenge, limit).await?;
            let _ = timeout(limit, stream.shutdown()).await;
            return Ok(None);
        }
        match self.certificate_for(&host).await {
            Ok(()) => finish(start, &self.configs.serving, limit).await.map(Some),
            Err(Refusal::Unknown) => refuse(start, UNRECOGNIZED_NAME, AcceptError::UnknownHost, limit).await,
            Err(Refusal::NotNow) => refuse(start, INTERNAL_ERROR, AcceptError::NoCertificate, limit).await,
        }
    }

    async fn certificate_for(&self, host: &Host) -> Result<(), Refusal> {
        if self.table.find(host, SystemTime::now()).is_some() {
            return Ok(());
        }
        match &self.issuer {
            Some(issuer) => issuer.ensure(host).await,
            None => Err(Refusal::Unknown),
        }
    }
}

async fn finish<S>(
    start: StartHandshake<S>,
    config: &Arc<ServerConfig>,
    limit: Duration,
) -> Result<TlsStream<S>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = timeout(limit, start.into_stream(config.clone())).await;
    Ok(stream.map_err(|_| AcceptError::Timeout)??)
}

/// Says why, in the one way that a client understands before there is encryption: a fatal alert of TLS.
async fn refuse<S, T>(
    mut start: StartHandshake<S>,
    alert: u8,
    error: AcceptError,
    limit: Duration,
) -> Result<T, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let record = [21, 3, 3, 0, 2, 2, alert];
    let said = async {
        start.io.write_all(&record).await?;
        start.io.shutdown().await
    };
    let _ = timeout(limit, said).await;
    Err(error)
}
