//! The port: takes connections, and gives back those that are between two requests when a successor is to go on
//! with them.

mod closing;
mod connection;
mod socket;
pub(crate) mod threads;

use std::net::{IpAddr, TcpListener as StdListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::HeaderValue;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use self::closing::Closing;
use self::threads::Threads;
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
    /// What a predecessor left.
    pub left: Left,
}

impl From<TcpListener> for Port {
    fn from(listener: TcpListener) -> Self {
        Self { listener, left: Left::default() }
    }
}

/// What a gateway that ends leaves to its successor, beside the port itself. Functions' connections are kept apart:
/// they must not be taken for anybody else's.
#[derive(Debug, Default)]
pub struct Left {
    /// Connections that are between two requests.
    pub connections: Vec<TcpStream>,
    /// The port on the functions' network, if there is one.
    pub inside: Option<StdListener>,
    /// Connections to that one.
    pub inside_connections: Vec<TcpStream>,
}

/// Whom a port is for.
#[derive(Debug)]
pub(crate) enum Door {
    /// Everybody. These threads serve them.
    Front(Arc<Threads>),
    /// Functions alone: a neighbour of this machine may find a way to an address of their network.
    Inside,
}

/// What all connections share.
struct Served {
    app: Arc<App>,
    door: Door,
    management: Router,
    closing: Closing,
    /// The same for functions, which may be needed for longer.
    last: Closing,
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

    fn closing(&self) -> &Closing {
        if self.caller.is_inside() { &self.served.last } else { &self.served.closing }
    }
}

/// Serves until the gateway closes, then lets requests end for as long as the orders give them. Answers with the
/// connections that were between two requests.
pub(crate) async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    connections: Vec<TcpStream>,
    door: Door,
    orders: Orders,
) -> Vec<TcpStream> {
    let room = Arc::new(Semaphore::new(app.config.max_connections));
    let management = routes::management(&app);
    let served = Arc::new(Served { app, door, management, closing: Closing::default(), last: Closing::default() });
    let mut open = JoinSet::new();
    for stream in connections {
        if let Err(error) = resume(&served, &mut open, &room, stream) {
            tracing::debug!(%error, "A connection of the predecessor is gone.");
        }
    }
    accept(&served, &listener, &room, &mut open).await;
    let began = Instant::now();
    served.closing.begin();
    let mut left = Vec::new();
    last_calls(&served, &listener, &room, &mut open, &orders, &mut left).await;
    drop(listener);
    served.last.begin();
    let ended = async {
        while let Some(stream) = open.join_next().await {
            left.extend(stream.ok().flatten());
        }
    };
    if orders.clone().patient_since(began, |graces| graces.connections, ended).await.is_none() {
        tracing::warn!(connections = open.len(), "Some requests took too long to end and are cut off.");
        open.shutdown().await;
    }
    if orders.hand_over() { left } else { Vec::new() }
}

/// Requests that are under way may need other functions to come to their end. So functions are still let in, until
/// nothing is under way; everybody else waits for the successor.
async fn last_calls(
    served: &Arc<Served>,
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    open: &mut JoinSet<Option<TcpStream>>,
    orders: &Orders,
    left: &mut Vec<TcpStream>,
) {
    loop {
        // Where there is no successor, who waits in the line before the socket may still find one.
        let hand_over = orders.hand_over();
        let letting_in =
            (matches!(served.door, Door::Inside) || hand_over) && left.len() < served.app.config.max_connections;
        tokio::select! {
            () = served.app.quiet.cancelled() => return,
            Some(ended) = open.join_next() => left.extend(ended.ok().flatten().filter(|_| hand_over)),
            accepted = listener.accept(), if letting_in => match accepted {
                Ok((stream, peer)) if Caller::of(&served.app, peer.ip()).is_inside() => {
                    spawn(served, open, stream, peer.ip(), Arc::clone(room).try_acquire_owned().ok());
                }
                Ok((stream, _)) => left.extend(stream.into_std()),
                Err(_) => sleep(ACCEPT_RETRY).await,
            },
        }
    }
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
    let inside = client.caller.is_inside();
    let thread = match &served.door {
        Door::Inside if !inside => return,
        // Functions are asked for their owners, which is done at home.
        Door::Front(threads) if !inside => threads.next(),
        Door::Front(_) | Door::Inside => None,
    };
    let visit = (!inside).then(|| served.app.visitors.token());
    let stream = match stream.into_std() {
        Ok(stream) => stream,
        Err(error) => return tracing::warn!(%error, "A connection cannot be given to a thread."),
    };
    let serving = async move {
        let stream = tokio::net::TcpStream::from_std(stream).ok()?;
        let left = connection::serve(client, stream).await;
        drop((permit, visit));
        left
    };
    match thread {
        Some(thread) => open.spawn_on(serving, thread),
        None => open.spawn(serving),
    };
}
