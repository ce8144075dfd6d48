//! The program's sockets: bound, or inherited from a supervisor or from the program that was here before. Both hand
//! them over in systemd's way: `LISTEN_FDS` says how many descriptors from 3 on, `LISTEN_FDNAMES` what they are.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd as _};

use anyhow::{Context as _, bail};
use listenfd::ListenFd;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc::{AF_INET, SOCK_STREAM};
use nix::sys::socket::{getsockopt, sockopt::AcceptConn};
use of_gateway::{Left, Port};
use openfaas_runtime::Env;
use tokio::net::TcpSocket;

use super::Arguments;

/// How descriptors are handed over.
pub(super) const VARIABLES: [&str; 4] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_FDS_FIRST_FD"];
const FIRST_DESCRIPTOR: usize = 3;
/// Names of descriptors. The port of the functions is the one with any other name.
const PORT: &str = "http";
const METRICS: &str = "metrics";
const CONNECTION: &str = "c";
/// The port on the functions' network, and connections to it.
const INSIDE: &str = "inside";
const INSIDE_CONNECTION: &str = "ic";
const NONE: &str = "-";
/// Connections that wait while a restart lets requests end; the system may have a lower limit.
const BACKLOG: u32 = 4096;

/// What was handed over at the start.
pub(crate) struct Inherited {
    descriptors: ListenFd,
    names: Vec<String>,
}

impl Inherited {
    /// To be called while there is one thread: what it reads is taken out of the environment.
    pub(crate) fn take() -> Self {
        let env = Env::from_process();
        let names = env.var("LISTEN_FDNAMES").unwrap_or_default().split(':').map(str::to_owned).collect();
        Self { descriptors: ListenFd::from_env(), names }
    }

    /// Binds what was not handed over. To be called within a runtime.
    pub(crate) fn or_bind(mut self, arguments: &Arguments) -> anyhow::Result<Sockets> {
        let (mut port, mut metrics, mut left) = (None, None, Left::default());
        for index in 0..self.descriptors.len() {
            match self.names.get(index).map_or("", String::as_str) {
                NONE => {}
                CONNECTION => left.connections.extend(self.connection(index)),
                INSIDE => left.inside = Some(self.listener(index)?),
                INSIDE_CONNECTION => left.inside_connections.extend(self.connection(index)),
                METRICS => metrics = Some(self.listener(index)?),
                _ if port.is_none() => port = Some(self.listener(index)?),
                other => bail!(
                    "the supervisor hands over a second socket, named \"{other}\": name it {METRICS} \
                     (FileDescriptorName={METRICS}), or leave it out"
                ),
            }
        }
        let port = port.map_or_else(|| bind(arguments.listen, "--listen"), Ok)?;
        let metrics = match (metrics, arguments.metrics()) {
            (None, Some(address)) => Some(bind(address, "--metrics-listen")?),
            (metrics, _) => metrics,
        };
        Ok(Sockets { port, metrics, left })
    }

    fn listener(&mut self, index: usize) -> anyhow::Result<TcpListener> {
        let taken = self.descriptors.take_tcp_listener(index).context("an inherited descriptor is no TCP socket")?;
        let listener = taken.context("an inherited descriptor was taken twice")?;
        if !getsockopt(&listener, AcceptConn).unwrap_or(false) {
            bail!("an inherited socket does not listen: is Accept=yes set? The gateway needs Accept=no");
        }
        Ok(listener)
    }

    /// A connection that broke meanwhile is no loss.
    fn connection(&mut self, index: usize) -> Option<TcpStream> {
        self.descriptors.take_custom(index, AF_INET, SOCK_STREAM, "TCP connection").ok().flatten()
    }
}

fn bind(address: SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    listen().with_context(|| format!("cannot listen on {address}; does something listen there? Another: {option}"))
}

pub(crate) struct Sockets {
    port: TcpListener,
    metrics: Option<TcpListener>,
    /// What a gateway that ended left to its successor.
    pub(crate) left: Left,
}

impl Sockets {
    /// For one gateway. The socket stays open when that ends, so connections can wait for the next.
    pub(crate) fn port(&mut self) -> anyhow::Result<Port> {
        let listener = listener(&self.port)?;
        Ok(Port { listener, left: std::mem::take(&mut self.left) })
    }

    /// Where metrics are served, if they are.
    pub(crate) fn metrics(&self) -> anyhow::Result<Option<tokio::net::TcpListener>> {
        self.metrics.as_ref().map(listener).transpose()
    }

    /// Lets the next program have the descriptors; these variables tell it which.
    pub(super) fn pass_on(&self) -> anyhow::Result<[(&'static str, String); 3]> {
        let all = self.all();
        let highest = all.iter().map(|(descriptor, _)| descriptor.as_raw_fd()).max().unwrap_or(0);
        let highest = usize::try_from(highest)?;
        let mut names = vec![NONE; (highest + 1).saturating_sub(FIRST_DESCRIPTOR)];
        for (descriptor, name) in all {
            fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty())).context("a socket cannot be passed on")?;
            let index = usize::try_from(descriptor.as_raw_fd())?.checked_sub(FIRST_DESCRIPTOR);
            if let Some(place) = index.and_then(|index| names.get_mut(index)) {
                *place = name;
            }
        }
        let [pid, count] = [std::process::id().to_string(), names.len().to_string()];
        Ok([("LISTEN_PID", pid), ("LISTEN_FDS", count), ("LISTEN_FDNAMES", names.join(":"))])
    }

    /// Takes back what [`Sockets::pass_on`] did.
    pub(super) fn keep(&self) -> anyhow::Result<()> {
        for (descriptor, _) in self.all() {
            fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).context("a socket cannot be kept")?;
        }
        Ok(())
    }

    fn all(&self) -> Vec<(std::os::fd::BorrowedFd<'_>, &'static str)> {
        let port = std::iter::once((self.port.as_fd(), PORT));
        let metrics = self.metrics.iter().map(|socket| (socket.as_fd(), METRICS));
        let Left { connections, inside, inside_connections } = &self.left;
        let inside = inside.iter().map(|socket| (socket.as_fd(), INSIDE));
        let connections = connections.iter().map(|socket| (socket.as_fd(), CONNECTION));
        let inside_connections = inside_connections.iter().map(|socket| (socket.as_fd(), INSIDE_CONNECTION));
        port.chain(metrics).chain(inside).chain(connections).chain(inside_connections).collect()
    }
}

/// A handle of its own on a listening socket.
fn listener(socket: &TcpListener) -> anyhow::Result<tokio::net::TcpListener> {
    let socket = socket.try_clone().context("a socket cannot be shared")?;
    socket.set_nonblocking(true)?;
    Ok(tokio::net::TcpListener::from_std(socket)?)
}
