//! What functions do not reach from their network: other services of this machine, each other, and the addresses at
//! which clouds hand out credentials. The engine keeps networks apart, but not a network from its host; that takes
//! rules of the host's firewall, which are made here.
//!
//! The rules hang in two chains of this installation's own, so that putting them in place again changes nothing, and
//! taking them away leaves nothing.

mod program;
mod removal;
mod rules;

use std::net::Ipv4Addr;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use openfaas_runtime::{Invalid, Reader};
use tokio::sync::Mutex;

use self::program::{Family, Trouble, families};
use self::rules::Rules;
use super::{Bridge, EngineError};

/// Rules that were in place are looked for, and rules that could not be made are tried again, after this time.
const LOOK: Duration = Duration::from_secs(60);

/// How functions are kept apart from the machine that they run on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Isolation {
    /// What happens where the firewall cannot be set.
    pub mode: IsolationMode,
    /// TCP ports of this machine that functions may reach besides the gateway.
    pub host_ports: Vec<u16>,
    /// Networks that functions do not reach, besides the addresses of cloud metadata.
    pub blocked: Vec<BlockedNetwork>,
}

/// What happens where the firewall cannot be set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IsolationMode {
    /// A warning, and functions run all the same.
    #[default]
    BestEffort,
    /// Nothing is deployed.
    Required,
}

/// Not a mode.
#[derive(Debug, thiserror::Error)]
#[error("it is neither required nor best-effort")]
pub struct UnknownMode;

impl FromStr for IsolationMode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text {
            "required" => Ok(Self::Required),
            "best-effort" => Ok(Self::BestEffort),
            _ => Err(UnknownMode),
        }
    }
}

/// An IPv4 network, or one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedNetwork(String);

/// Not a network.
#[derive(Debug, thiserror::Error)]
#[error("it is not an IPv4 network such as 10.0.0.0/8")]
pub struct InvalidNetwork;

impl FromStr for BlockedNetwork {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
        let valid = address.parse::<Ipv4Addr>().is_ok() && prefix.parse::<u32>().is_ok_and(|p| p <= Ipv4Addr::BITS);
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidNetwork) }
    }
}

impl Isolation {
    /// Reads `isolation`, `host_ports` and `blocked_networks`.
    pub(crate) fn from_env(r: &Reader<'_>) -> Result<Self, Invalid> {
        let mode = r.or("isolation", IsolationMode::default());
        let (host_ports, blocked) = (list(r, "host_ports"), list(r, "blocked_networks"));
        Ok(Self { mode: mode?, host_ports: host_ports?, blocked: blocked? })
    }
}

fn list<T: FromStr<Err: std::fmt::Display>>(r: &Reader<'_>, name: &str) -> Result<Vec<T>, Invalid> {
    let parse =
        |text: &String| text.parse().map_err(|error| r.invalid(name, format!("'{text}' is not valid: {error}")));
    r.list(name).iter().map(parse).collect()
}

/// The firewall of the host, for one installation's network.
pub(super) struct Firewall {
    instance: String,
    settings: Isolation,
    /// The gateway's own port on the network.
    port: Option<u16>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The bridge that the rules are for.
    wanted: Option<Bridge>,
    /// Whether they are in place.
    closed: bool,
    /// When that was tried or looked at last.
    looked: Option<Instant>,
    /// The operator knows that there are none.
    warned: bool,
}

impl Firewall {
    pub(super) fn new(instance: &str, settings: Isolation, port: Option<u16>) -> Self {
        Self { instance: instance.to_owned(), settings, port, state: Mutex::default() }
    }

    /// Closes this bridge unless it is closed. Called before containers are started.
    pub(super) async fn ensure(&self, bridge: &Bridge) -> Result<(), EngineError> {
        let mut state = self.state.lock().await;
        if state.closed && state.wanted.as_ref() == Some(bridge) {
            return Ok(());
        }
        let recent = state.looked.is_some_and(|looked| looked.elapsed() < LOOK);
        if recent && state.warned && self.settings.mode == IsolationMode::BestEffort {
            return Ok(());
        }
        self.close(&mut state, bridge).await
    }

    /// Closes this bridge, whatever was in place before.
    pub(super) async fn renew(&self, bridge: &Bridge) -> Result<(), EngineError> {
        self.close(&mut *self.state.lock().await, bridge).await
    }

    /// Looks now and then whether the rules are still there: a reload of another firewall takes them away. Rules that
    /// could not be made are tried again.
    pub(super) async fn look(&self) -> Result<(), EngineError> {
        let mut state = self.state.lock().await;
        let Some(bridge) = state.wanted.clone() else { return Ok(()) };
        if state.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(());
        }
        if state.closed {
            state.looked = Some(Instant::now());
            if self.rules(&bridge).are_in_place().await {
                return Ok(());
            }
            tracing::warn!(
                interface = bridge.interface,
                "The firewall's rules for functions were gone; making them anew."
            );
        }
        self.close(&mut state, &bridge).await
    }

    async fn close(&self, state: &mut State, bridge: &Bridge) -> Result<(), EngineError> {
        state.looked = Some(Instant::now());
        (state.wanted, state.closed) = (Some(bridge.clone()), false);
        match self.rules(bridge).put().await {
            Ok(()) => {
                tracing::info!(interface = bridge.interface, "The functions' network is closed by the firewall.");
                (state.closed, state.warned) = (true, false);
                clear_leftovers().await;
                Ok(())
            }
            Err(trouble) if self.settings.mode == IsolationMode::Required => {
                Err(EngineError::Exposed { reason: trouble.to_string() })
            }
            Err(reason) => {
                if !std::mem::replace(&mut state.warned, true) {
                    tracing::warn!(
                        %reason,
                        "Functions can reach other services of this machine and cloud metadata: the firewall cannot \
                         be set. Run the gateway as root with iptables installed; isolation=required refuses to \
                         deploy without."
                    );
                }
                Ok(())
            }
        }
    }

    /// Takes all rules of this installation away.
    pub(super) async fn remove(&self) {
        let mut state = self.state.lock().await;
        *state = State::default();
        for family in families() {
            match remove_from(family, &self.instance).await {
                Ok(()) => {}
                Err(Trouble::Closed(reason)) => tracing::debug!(reason, "The firewall has no rules to remove."),
                Err(Trouble::Failed(reason)) => tracing::warn!(
                    reason,
                    "Rules of the firewall stay behind, in the chains OF-{0}-IN and OF-{0}-OUT.",
                    self.instance
                ),
            }
        }
    }

    fn rules<'a>(&'a self, bridge: &'a Bridge) -> Rules<'a> {
        let ports = self.port.iter().chain(&self.settings.host_ports).copied();
        Rules {
            instance: &self.instance,
            bridge,
            ports: ports.collect(),
            blocked: self.settings.blocked.iter().map(|network| network.0.as_str()).collect(),
            resolvers: resolvers(),
        }
    }
}

async fn remove_from(family: Family, instance: &str) -> Result<(), Trouble> {
    match removal::remove(family, instance).await {
        // Somebody may have changed the same chains between our reading and our writing.
        Err(Trouble::Failed(_)) => removal::remove(family, instance).await,
        other => other,
    }
}

/// They do no harm, and whoever puts rules in place next tries again.
async fn clear_leftovers() {
    for family in families() {
        if let Err(reason) = removal::clear(family).await {
            tracing::debug!(%reason, "What other installations left behind in the firewall stays there.");
        }
    }
}

/// The name servers that the engine asks on behalf of containers. They may be this machine, or an address that is
/// closed otherwise.
fn resolvers() -> Vec<Ipv4Addr> {
    let read = |path: &str| rules::name_servers(&std::fs::read_to_string(path).unwrap_or_default());
    let own = read("/etc/resolv.conf");
    if own.iter().any(Ipv4Addr::is_loopback) {
        // A resolver of this machine alone; the engine goes past it, and so do we.
        return read("/run/systemd/resolve/resolv.conf");
    }
    own
}

const INTERFACES: &str = "/sys/class/net";

/// Whether rules on this machine can be about this bridge at all.
fn is_here(interface: &str) -> bool {
    Path::new(INTERFACES).join(interface).exists()
}

/// Whether this machine certainly has no such interface.
fn is_gone(interface: &str) -> bool {
    matches!(Path::new(INTERFACES).join(interface).try_exists(), Ok(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rules_that_could_not_be_made_are_tried_again() {
        // No machine has this interface, so no rule is made.
        let bridge = Bridge::parse("of-nowhere 192.0.2.1 192.0.2.0/24").unwrap();
        let isolation = Isolation { mode: IsolationMode::Required, ..Isolation::default() };
        let firewall = Firewall::new("test", isolation, None);
        firewall.look().await.unwrap();
        assert!(matches!(firewall.ensure(&bridge).await, Err(EngineError::Exposed { .. })));
        firewall.look().await.unwrap();
        firewall.state.lock().await.looked = Instant::now().checked_sub(LOOK);
        assert!(matches!(firewall.look().await, Err(EngineError::Exposed { .. })), "tried again");
        firewall.look().await.unwrap();
    }
}
