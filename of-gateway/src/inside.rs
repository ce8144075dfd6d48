//! Functions as callers: the gateway's port on their network, and what each of them may call.
//!
//! Functions of many owners share one network, and what they send can be made up. Their address cannot: they lack the
//! right to send from another one. So a call from the functions' network is taken for a call of the function whose
//! container has the address it comes from, whatever port of the gateway it comes to.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Response, StatusCode};
use openfaas_runtime::{Invalid, Reader};
use sdk::labels;
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tokio::time::sleep;

use crate::answer::text;
use crate::app::App;
use crate::engine::EngineError;
use crate::functions::{Function, FunctionRef};
use crate::invoke;
use crate::port::{self, Door};
use crate::serve::Orders;

/// The port that functions of OpenFaaS know the gateway by.
const PORT: u16 = 8080;
/// Between two attempts to listen where somebody else does.
const LISTEN_RETRY: Duration = Duration::from_secs(15);

/// What functions get to see of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inside {
    /// The gateway's port on the functions' network; `None`: it has none there.
    pub port: Option<u16>,
    /// Whether the management API is there, behind its password.
    pub system: bool,
    /// Whether functions may make asynchronous calls.
    pub asynchronous: bool,
}

impl Default for Inside {
    fn default() -> Self {
        Self { port: Some(PORT), system: true, asynchronous: true }
    }
}

impl Inside {
    /// Reads `inside_port` (0 for none), `inside_system` and `inside_async`.
    pub(crate) fn from_env(r: &Reader<'_>) -> Result<Self, Invalid> {
        let port = r.or("inside_port", PORT);
        let (system, asynchronous) = (r.flag("inside_system", true), r.flag("inside_async", true));
        Ok(Self { port: Some(port?).filter(|port| *port != 0), system: system?, asynchronous: asynchronous? })
    }
}

/// Whom a function belongs to. All functions without an owner have the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    host: Option<String>,
    id: Option<String>,
}

impl Owner {
    fn of(labels: &BTreeMap<String, String>) -> Self {
        Self { host: labels.get(labels::GIT_SCM).cloned(), id: labels.get(labels::GIT_OWNER_ID).cloned() }
    }
}

/// Who makes the calls of one connection.
pub(crate) enum Caller {
    /// Somebody who is no function; nothing is asked.
    Outside,
    /// Whatever runs at this address of the functions' network. It is found out at the first call, and holds as long
    /// as the connection: no other container can go on with it.
    Inside { address: IpAddr, owner: OnceCell<Option<Owner>> },
}

impl Caller {
    pub(crate) fn of(app: &App, peer: IpAddr) -> Self {
        let inside = app.engine.bridge().borrow().as_ref().is_some_and(|bridge| bridge.has(peer));
        if inside { Self::Inside { address: peer, owner: OnceCell::new() } } else { Self::Outside }
    }

    pub(crate) fn is_inside(&self) -> bool {
        matches!(self, Self::Inside { .. })
    }

    /// The answer to a call that this caller may not make: that of a thing that does not exist.
    pub(crate) async fn refusal(&self, app: &App, path: &str) -> Option<Response<Body>> {
        let Self::Inside { address, owner } = self else { return None };
        let hidden = || Some(text(StatusCode::NOT_FOUND, "there is no such route"));
        if let Some(target) = path.strip_prefix("/function/") {
            return refuse_target(app, *address, owner, target).await;
        }
        if let Some(target) = path.strip_prefix("/async-function/") {
            let allowed = app.config.inside.asynchronous;
            return if allowed { refuse_target(app, *address, owner, target).await } else { hidden() };
        }
        // Only what is known to be harmless is open without the management API.
        if app.config.inside.system || matches!(path, "/healthz" | "/ready") { None } else { hidden() }
    }
}

async fn refuse_target(
    app: &App,
    address: IpAddr,
    owner: &OnceCell<Option<Owner>>,
    target: &str,
) -> Option<Response<Body>> {
    let target = FunctionRef::parse(target);
    let caller = match owner.get_or_try_init(|| identify(app, address)).await {
        Ok(caller) => caller,
        Err(error) => {
            tracing::warn!(%address, %error, "A call from the functions' network cannot be told whose it is.");
            let sentence = "it cannot be told which function calls: the container engine does not answer";
            return Some(text(StatusCode::SERVICE_UNAVAILABLE, sentence));
        }
    };
    let function = app.functions.get(&target.id(&app.config.namespace));
    // Functions of the platform are for the platform itself.
    let containers = function.as_deref().and_then(Function::containers);
    let theirs = containers.map(|containers| Owner::of(&containers.spec.labels));
    let allowed = theirs.is_some() && theirs == *caller;
    (!allowed).then(|| invoke::missing(app, &target))
}

async fn identify(app: &App, address: IpAddr) -> Result<Option<Owner>, EngineError> {
    let resident = app.engine.resident(address).await?;
    if resident.is_none() {
        tracing::warn!(%address, "Something on the functions' network that is no function calls; it may call none.");
    }
    Ok(resident.map(|record| Owner::of(&record.spec.labels)))
}

/// The port on the functions' network that a predecessor had, and the connections to it.
#[derive(Debug, Default)]
pub(crate) struct Before {
    pub(crate) listener: Option<StdListener>,
    pub(crate) connections: Vec<TcpStream>,
}

/// Serves the functions' network until the gateway closes; answers with what is left to a successor. `main` is the
/// port for everybody else.
pub(crate) async fn listen(app: Arc<App>, main: SocketAddr, mut before: Before, orders: Orders) -> Before {
    let Some(inside) = app.config.inside.port else { return Before::default() };
    let mut bridge = app.engine.bridge();
    let mut complained = false;
    loop {
        let gateway = bridge.borrow_and_update().as_ref().map(|bridge| bridge.gateway);
        let address = gateway.map(|gateway| SocketAddr::from((gateway, inside)));
        let wanted = address.filter(|address| !covers(main, *address));
        let serving = async {
            match wanted {
                None => std::future::pending().await,
                Some(address) => serve_at(&app, address, &mut before, &orders, &mut complained).await,
            }
        };
        tokio::select! {
            // What a predecessor had waits for the engine to say where it belongs.
            () = app.closing.cancelled(), if wanted.is_none() => return before,
            // Where the network went, so did the connections.
            changed = bridge.changed() => if changed.is_err() { return Before::default() },
            left = serving => if let Some(left) = left { return left },
        }
    }
}

/// Whether a socket that listens on `main` gets the connections to `address` too.
fn covers(main: SocketAddr, address: SocketAddr) -> bool {
    main.port() == address.port() && (main.ip().is_unspecified() || main.ip() == address.ip())
}

/// `None` if it is to be tried again.
async fn serve_at(
    app: &Arc<App>,
    address: SocketAddr,
    before: &mut Before,
    orders: &Orders,
    complained: &mut bool,
) -> Option<Before> {
    let Before { listener, connections } = std::mem::take(before);
    match open(address, listener).await {
        Ok((listener, kept)) => {
            tracing::info!(%address, "Functions reach the gateway at gateway.openfaas.");
            let serving = port::serve(Arc::clone(app), listener, connections, Door::Inside, orders.clone());
            let connections = serving.await;
            return Some(Before { listener: Some(kept), connections });
        }
        Err(error) if !std::mem::replace(complained, true) => tracing::warn!(
            %address, %error,
            "Functions cannot reach the gateway: its port on their network cannot be opened. Free it, or choose \
             another with inside_port."
        ),
        Err(_) => {}
    }
    tokio::select! {
        () = app.closing.cancelled() => Some(Before::default()),
        () = sleep(LISTEN_RETRY) => None,
    }
}

/// The predecessor's socket if it is at the right address, else a new one; and a second handle on it, that keeps it
/// open for a successor.
async fn open(address: SocketAddr, before: Option<StdListener>) -> std::io::Result<(TcpListener, StdListener)> {
    let right = before.filter(|listener| listener.local_addr().is_ok_and(|own| own == address));
    let listener = match right {
        Some(listener) => listener,
        None => TcpListener::bind(address).await?.into_std()?,
    };
    let kept = listener.try_clone()?;
    listener.set_nonblocking(true)?;
    Ok((TcpListener::from_std(listener)?, kept))
}

#[cfg(test)]
mod tests {
    use openfaas_runtime::Env;

    use super::*;

    #[test]
    fn a_port_on_all_addresses_covers_that_of_the_functions() {
        let inside: SocketAddr = "172.18.0.1:8080".parse().unwrap();
        for (main, covered) in [
            ("0.0.0.0:8080", true),
            ("[::]:8080", true),
            ("172.18.0.1:8080", true),
            ("127.0.0.1:8080", false),
            ("0.0.0.0:8081", false),
        ] {
            assert_eq!(covers(main.parse().unwrap(), inside), covered, "{main}");
        }
    }

    #[test]
    fn functions_without_owner_labels_have_the_same_owner() {
        let of = |pairs: &[(&str, &str)]| {
            Owner::of(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        let alice = of(&[(labels::GIT_SCM, "github.com"), (labels::GIT_OWNER_ID, "1")]);
        assert_eq!(of(&[]), of(&[("a", "b")]));
        assert_ne!(alice, of(&[]));
        assert_ne!(alice, of(&[(labels::GIT_SCM, "gitlab.com"), (labels::GIT_OWNER_ID, "1")]));
        assert_ne!(alice, of(&[(labels::GIT_OWNER_ID, "1")]));
    }

    #[test]
    fn the_port_can_be_chosen_and_left_out() {
        let read = |port: &str| {
            let env = Env::from_map([("inside_port", port), ("inside_system", "false")], [("", ""); 0]);
            Inside::from_env(&env.reader()).unwrap()
        };
        assert_eq!(read("9090"), Inside { port: Some(9090), system: false, asynchronous: true });
        assert_eq!(read("0").port, None);
    }
}
