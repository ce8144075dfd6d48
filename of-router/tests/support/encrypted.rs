//! A router with encryption, and clients for it.

use std::net::SocketAddr;
use std::sync::Arc;

use of_router::tls::{Allowed, Edge, Holder, Host, Settings};
use of_router::{Config, Listeners};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{DEADLINE, Gateway, config};

/// The domain of the tests.
pub(crate) const DOMAIN: &str = "cloud.test";

/// A router's sockets before it runs: an authority has to know them first.
pub(crate) struct Sockets {
    plain: TcpListener,
    encrypted: TcpListener,
}

impl Sockets {
    pub(crate) async fn open() -> Self {
        let open = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { plain: open().await, encrypted: open().await }
    }

    pub(crate) fn plain(&self) -> SocketAddr {
        self.plain.local_addr().unwrap()
    }

    pub(crate) fn encrypted(&self) -> SocketAddr {
        self.encrypted.local_addr().unwrap()
    }
}

/// A running router with encryption.
pub(crate) struct Encrypted {
    pub(crate) edge: Arc<Edge>,
    pub(crate) plain: SocketAddr,
    pub(crate) address: SocketAddr,
    pub(crate) gateway: Gateway,
    shutdown: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

/// Settings without a certificate.
pub(crate) fn settings() -> Settings {
    Settings::new(DOMAIN.parse().unwrap())
}

/// Hosts that are known.
pub(crate) fn known(hosts: &'static [&'static str]) -> Allowed {
    let holder = |host: Host| {
        let owner = host.as_str().split('.').next().unwrap_or_default().to_owned();
        hosts.contains(&host.as_str()).then_some(Holder::Owner(owner))
    };
    Allowed::new(move |host| std::future::ready(holder(host)))
}

impl Encrypted {
    pub(crate) async fn start(sockets: Sockets, settings: Settings, allowed: Allowed) -> Self {
        Self::start_with(sockets, settings, allowed, |_, _| ()).await
    }

    /// The same, with more at the gateway or in the configuration.
    pub(crate) async fn start_with(
        sockets: Sockets,
        settings: Settings,
        allowed: Allowed,
        change: impl FnOnce(&Gateway, &mut Config),
    ) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let gateway = Gateway::start().await;
        gateway.deploy("alice-greet", "alice");
        let mut config = config(gateway.address);
        config.domain = DOMAIN.parse().unwrap();
        change(&gateway, &mut config);
        let edge = Arc::new(Edge::new(settings, allowed).unwrap());
        let (plain, address) = (sockets.plain(), sockets.encrypted());
        let listeners = Listeners { plain: sockets.plain, encrypted: Some((edge.clone(), sockets.encrypted)) };
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(of_router::serve_on(config, listeners, shutdown.clone(), mpsc::channel(1).1));
        Self { edge, plain, address, gateway, shutdown, running }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.running).await.unwrap().unwrap().unwrap();
    }

    /// A client that believes `root` and finds each host here.
    pub(crate) fn client(&self, root: &reqwest::Certificate) -> reqwest::Client {
        self.client_with(root, |builder| builder)
    }

    pub(crate) fn client_with(
        &self,
        root: &reqwest::Certificate,
        change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> reqwest::Client {
        let mut builder = sdk::http::builder().timeout(DEADLINE).tls_certs_only([root.clone()]);
        for host in ["alice", "bob", "carol", "deep.system", "system"] {
            builder = builder.resolve(&format!("{host}.{DOMAIN}"), self.address);
        }
        for host in [DOMAIN, "www.alice.org", "shop.alice.org", "unproven.org", "www.bob.org"] {
            builder = builder.resolve(host, self.address);
        }
        change(builder).build().unwrap()
    }

    /// The address of a function of `host`'s.
    pub(crate) fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/greet", self.address.port())
    }

    /// The status that a fresh client gets, or `None` if there is no encrypted connection.
    pub(crate) async fn status(&self, host: &str, root: &reqwest::Certificate) -> Option<u16> {
        let answer = self.client(root).get(self.url(host)).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    /// A handshake of one's own.
    pub(crate) async fn handshake(&self, host: &str, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let shake = TlsConnector::from(Arc::new(config)).connect(name, stream);
        tokio::time::timeout(DEADLINE, shake).await.unwrap()
    }
}
