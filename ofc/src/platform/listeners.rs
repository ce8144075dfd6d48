//! All sockets, bound before anything else happens: a taken port is told at once, and costs nothing.

use std::io;
use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;

use super::loopback;
use crate::report::Trouble;

/// Where the platform is to listen; port 0 is any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// The router's.
    pub(crate) http: SocketAddr,
    /// The router's, encrypted.
    pub(crate) https: Option<SocketAddr>,
    /// The gateway's port.
    pub(crate) gateway: u16,
    /// The port of the gateway's metrics.
    pub(crate) metrics: Option<u16>,
}

impl Addresses {
    /// On this machine alone, without encryption.
    #[cfg(test)]
    pub(crate) fn local(port: u16, gateway: u16, metrics: Option<u16>) -> Self {
        Self { http: loopback(port), https: None, gateway, metrics }
    }
}

/// The listeners of every part, all but the router's on this machine's own interface.
pub(super) struct Listeners {
    pub(super) router: TcpListener,
    pub(super) router_address: SocketAddr,
    pub(super) encrypted: Option<TcpListener>,
    pub(super) gateway: TcpListener,
    pub(super) gateway_address: SocketAddr,
    pub(super) builder: TcpListener,
    pub(super) builder_address: SocketAddr,
    pub(super) git: TcpListener,
    pub(super) git_address: SocketAddr,
    pub(super) auth: TcpListener,
    pub(super) auth_address: SocketAddr,
    pub(super) metrics: Option<TcpListener>,
}

impl Listeners {
    pub(super) async fn bind(addresses: Addresses) -> anyhow::Result<Self> {
        let (router, router_address) = bind(addresses.http, "--port").await?;
        let encrypted = match addresses.https {
            Some(address) => Some(bind(address, "--https-port").await?.0),
            None => None,
        };
        let (gateway, gateway_address) = bind(loopback(addresses.gateway), "--gateway-port").await?;
        let (builder, builder_address) = bind(loopback(0), "").await?;
        let (git, git_address) = bind(loopback(0), "").await?;
        let (auth, auth_address) = bind(loopback(0), "").await?;
        let metrics = match addresses.metrics {
            Some(port) => Some(bind(loopback(port), "--metrics-port").await?.0),
            None => None,
        };
        Ok(Self {
            router,
            router_address,
            encrypted,
            gateway,
            gateway_address,
            builder,
            builder_address,
            git,
            git_address,
            auth,
            auth_address,
            metrics,
        })
    }
}

async fn bind(address: SocketAddr, option: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await.map_err(|cause| refusal(address, option, cause))?;
    let address = listener.local_addr().context("a bound socket has no address")?;
    Ok((listener, address))
}

fn refusal(address: SocketAddr, option: &str, cause: io::Error) -> Trouble {
    let sentence = match cause.kind() {
        io::ErrorKind::AddrInUse => format!("port {} of {} is taken", address.port(), address.ip()),
        io::ErrorKind::PermissionDenied => format!("this user may not listen on port {}", address.port()),
        _ => format!("cannot listen on {address}"),
    };
    Trouble::new(sentence)
        .hint(format!("stop what listens there, or choose another: {option} PORT ({option} 0 takes a free one)"))
        .because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_names_itself_and_the_option() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Listeners::bind(Addresses::local(0, port, None)).await.err().unwrap();
        let text = crate::report::render(&error);
        assert!(text.starts_with(&format!("port {port} of 127.0.0.1 is taken")), "{text}");
        assert!(text.contains("--gateway-port 0 takes a free one"), "{text}");
        let error = Listeners::bind(Addresses::local(0, 0, Some(port))).await.err().unwrap();
        assert!(crate::report::render(&error).contains("--metrics-port"));
    }

    #[tokio::test]
    async fn port_0_takes_free_ones() {
        let listeners = Listeners::bind(Addresses::local(0, 0, None)).await.unwrap();
        let ports =
            [listeners.router_address, listeners.gateway_address, listeners.git_address, listeners.auth_address];
        assert!(ports.iter().all(|address| address.port() != 0 && address.ip().is_loopback()));
    }
}
