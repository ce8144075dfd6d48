//! The port: takes connections, and gives back those that are between two requests when a successor is to go on
//! with them.

mod closing;
mod connection;
mod socket;

use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::HeaderValue;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::closing::Closing;
use crate::app::App;
use crate::inside::Caller;
use crate::routes;
use crate::serve::Orders;

/// Pause after a connection could not be accepted, for example because no file handles are left.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// What a gateway serves on.
#[derive(Debug)]
pub struct Port {
    /// Where new connections come from.
    pub listener: TcpListener,
    /// Connections that a predecessor left between two requests.
    pub connections: Vec<TcpStream>,
}

impl From<TcpListener> for Port {
    fn from(listener: TcpListener) -> Self {
        Self { listener, connections: Vec::new() }
    }
}

/// Whom a port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Front,
    /// Functions alone: a neighbour of this machine may find a way to an address of their network.
    Inside,
}

/// What all connections share.
struct Served {
    app: Arc<App>,
    door: Door,
    management: Router,
    closing: Closing,
}

/// What the requests of one connection share.
struct Client {
    served: Arc<Served>,
    /// Its address, as functions are told it.
    address: HeaderValue,
    caller: Caller,
}

impl Client {
    fn new(served: &Arc<Served>, address: IpAddr) -> Arc<Self> {
        let caller = Caller::of(&served.app, address);
        let address = HeaderValue::from_str(&address.to_string());
        let address = address.unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        Arc::new(Self { served: Arc::clone(served), address, caller })
    }
}

/// Serves until the gateway closes, then lets requests end for as long as the orders give them. Answers with the
/// connections that were between two requests.
pub(crate) async fn serve(app: Arc<App>, port: Port, door: Door, orders: Orders) -> Vec<TcpStream> {
    let Port { listener, connections } = port;
    let room = Arc::new(Semaphore::new(app.config.max_connections));
    let management = routes::management(&app);
    let served = Arc::new(Served { app, door, management, closing: Closing::default() });
    let mut open = JoinSet::new();
    for stream in connections {
        if let Err(error) = resume(&served, &mut open, &room, stream) {
            tracing::debug!(%error, "A connection of the predecessor is gone.");
        }
    }
    accept(&served, &listener, &room, &mut open).await;
    drop(listener);
    served.closing.begin();
    let mut left = Vec::new();
    let ended = async {
        while let Some(stream) = open.join_next().await {
            // Dropped, and so closed, at once where no successor wants it.
            left.extend(stream.ok().flatten().filter(|_| orders.hand_over()));
        }
    };
    let waiting = orders.clone();
    if waiting.patient(|graces| graces.connections, ended).await.is_none() {
        tracing::warn!(connections = open.len(), "Some requests took too long to end and are cut off.");
        open.shutdown().await;
    }
    left
}

async fn accept(
    served: &Arc<Served>,
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    open: &mut JoinSet<Option<TcpStream>>,
) {
    loop {
        let next = async {
            let permit = Arc::clone(room).acquire_owned().await;
            (listener.accept().await, permit.ok())
        };
        let (accepted, permit) = tokio::select! {
            () = served.app.closing.cancelled() => return,
            Some(_) = open.join_next(), if !open.is_empty() => continue,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => spawn(served, open, stream, peer.ip(), permit),
            Err(error) => {
                tracing::warn!(%error, "A connection could not be accepted.");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Goes on with a connection of a predecessor. It had room there, so it has it here.
fn resume(
    served: &Arc<Served>,
    open: &mut JoinSet<Option<TcpStream>>,
    room: &Arc<Semaphore>,
    stream: TcpStream,
) -> std::io::Result<()> {
    stream.set_nonblocking(true)?;
    let peer = stream.peer_addr()?.ip();
    let stream = tokio::net::TcpStream::from_std(stream)?;
    spawn(served, open, stream, peer, Arc::clone(room).try_acquire_owned().ok());
    Ok(())
}

fn spawn(
    served: &Arc<Served>,
    open: &mut JoinSet<Option<TcpStream>>,
    stream: tokio::net::TcpStream,
    peer: IpAddr,
    permit: Option<OwnedSemaphorePermit>,
) {
    let client = Client::new(served, peer);
    if served.door == Door::Inside && !client.caller.is_inside() {
        return;
    }
    open.spawn(async move {
        let left = connection::serve(client, stream).await;
        drop(permit);
        left
    });
}
