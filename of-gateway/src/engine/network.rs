//! The bridge network of this installation's functions.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use bollard::models::{NetworkCreateRequest, NetworkInspect};
use bollard::query_parameters::ListNetworksOptionsBuilder;
use tokio::sync::watch;

use super::record::INSTANCE;
use super::{Engine, EngineError};

/// The engine's own network, whose settings its administrator has chosen.
const DEFAULT_NETWORK: &str = "bridge";
const MTU: &str = "com.docker.network.driver.mtu";
/// Whether containers of a network reach each other.
const NEIGHBOURS: &str = "com.docker.network.bridge.enable_icc";
/// The name of the network's interface on the host, so that firewall rules can name it.
const INTERFACE: &str = "com.docker.network.bridge.name";

/// The file in which the network is noted.
const LAST_SEEN: &str = "network";

/// The host's end of the functions' network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bridge {
    pub(crate) interface: String,
    /// The host's own address on it.
    pub(crate) gateway: Ipv4Addr,
    subnet: Subnet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subnet {
    address: Ipv4Addr,
    prefix: u32,
}

impl Bridge {
    fn of(network: &NetworkInspect) -> Option<Self> {
        let configs = network.ipam.as_ref()?.config.as_ref()?;
        let (gateway, subnet) = configs.iter().find_map(|config| {
            let subnet = Subnet::parse(config.subnet.as_ref()?)?;
            // Some engines put the subnet's length behind it, some say nothing, and all take the first address.
            let told = config.gateway.as_ref().and_then(|told| told.split('/').next()?.parse().ok());
            Some((told.unwrap_or_else(|| subnet.first()), subnet))
        })?;
        let named = network.options.as_ref().and_then(|options| options.get(INTERFACE)).cloned();
        // What Docker calls the interface of a network that was made without a name for it.
        let interface = named.or_else(|| Some(format!("br-{}", network.id.as_ref()?.get(..12)?)))?;
        Some(Self { interface, gateway, subnet })
    }

    /// From the words that it is kept as.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (interface, gateway, subnet) = (words.next()?, words.next()?, words.next()?);
        Some(Self { interface: interface.to_owned(), gateway: gateway.parse().ok()?, subnet: Subnet::parse(subnet)? })
    }

    /// Whether an address is that of a container on this network.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let address = match address.to_canonical() {
            IpAddr::V4(address) => address,
            IpAddr::V6(_) => return false,
        };
        address != self.gateway && self.subnet.contains(address)
    }
}

impl fmt::Display for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interface, gateway, subnet } = self;
        write!(f, "{interface} {gateway} {}/{}", subnet.address, subnet.prefix)
    }
}

/// The bridge as it was when it was last seen. While the engine does not answer, containers may run all the same, and
/// what comes from their network has to be known as such.
#[derive(Debug)]
pub(super) struct LastSeen(PathBuf);

impl LastSeen {
    pub(super) fn within(data_dir: &Path) -> Self {
        Self(data_dir.join(LAST_SEEN))
    }

    pub(super) fn read(&self) -> Option<Bridge> {
        Bridge::parse(&std::fs::read_to_string(&self.0).ok()?)
    }

    fn keep(&self, bridge: Option<&Bridge>) {
        let kept = match bridge {
            Some(bridge) => std::fs::write(&self.0, format!("{bridge}\n")),
            None => std::fs::remove_file(&self.0),
        };
        match kept {
            Err(error) if error.kind() != io::ErrorKind::NotFound => tracing::warn!(
                path = %self.0.display(), %error,
                "The functions' network cannot be noted; after a restart it is known when the engine answers."
            ),
            _ => {}
        }
    }
}

impl Subnet {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let (address, prefix) = (address.parse().ok()?, prefix.parse().ok()?);
        (prefix < Ipv4Addr::BITS).then_some(Self { address, prefix })
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(Ipv4Addr::BITS - self.prefix).unwrap_or(0)
    }

    fn first(self) -> Ipv4Addr {
        Ipv4Addr::from_bits((self.address.to_bits() & self.mask()) + 1)
    }

    fn contains(self, address: Ipv4Addr) -> bool {
        (address.to_bits() ^ self.address.to_bits()) & self.mask() == 0
    }
}

impl Engine {
    pub(crate) fn network(&self) -> String {
        format!("of-{}", self.instance)
    }

    /// The host's end of the network, as far as it is known, and its changes.
    pub(crate) fn bridge(&self) -> watch::Receiver<Option<Bridge>> {
        self.bridge.subscribe()
    }

    /// Makes the network if it is not there, and closes it to what functions are not to reach. The engine picks its
    /// addresses.
    pub(crate) async fn ensure_network(&self) -> Result<(), EngineError> {
        let _alone = self.making_network.lock().await;
        let bridge = match self.find_bridge().await? {
            Some(bridge) => bridge,
            None => {
                self.make_network().await?;
                self.find_bridge().await?.ok_or_else(|| self.unclear_network())?
            }
        };
        self.firewall.ensure(&bridge).await?;
        self.publish_bridge(Some(bridge));
        Ok(())
    }

    /// Looks for the network that a former gateway made, and closes it anew: what guards it may have been lost since.
    pub(crate) async fn renew_network(&self) -> Result<(), EngineError> {
        let _alone = self.making_network.lock().await;
        let bridge = self.find_bridge().await?;
        self.publish_bridge(bridge.clone());
        let Some(bridge) = bridge else { return Ok(()) };
        self.firewall.renew(&bridge).await
    }

    /// To be called now and then.
    pub(crate) async fn look_after_network(&self) -> Result<(), EngineError> {
        self.firewall.look().await
    }

    fn publish_bridge(&self, bridge: Option<Bridge>) {
        self.bridge.send_if_modified(|known| {
            let changed = *known != bridge;
            if changed {
                self.last_seen.keep(bridge.as_ref());
            }
            *known = bridge;
            changed
        });
    }

    async fn find_bridge(&self) -> Result<Option<Bridge>, EngineError> {
        let name = self.network();
        let found = self.docker()?.inspect_network(&name, None).await;
        match found.map_err(|source| self.error("inspect network", &name, source)) {
            Ok(network) => Bridge::of(&network).ok_or_else(|| self.unclear_network()).map(Some),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn unclear_network(&self) -> EngineError {
        EngineError::Refused {
            operation: "describe network",
            object: self.network(),
            status: 500,
            message: "it has no IPv4 subnet with a gateway; remove it, and the next deployment makes a new one".into(),
        }
    }

    async fn make_network(&self) -> Result<(), EngineError> {
        let name = self.network();
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".to_owned()),
            options: Some(self.network_options().await?),
            labels: Some(HashMap::from([(INSTANCE.to_owned(), self.instance.clone())])),
            ..NetworkCreateRequest::default()
        };
        match self.docker()?.create_network(request).await.map_err(|source| self.error("create network", &name, source))
        {
            // Somebody made it by hand a moment ago.
            Err(error) if error.is_already() => Ok(()),
            other => other.map(drop),
        }
    }

    /// Functions of different owners share the network, and past the router's door nobody asks who calls: they reach
    /// the host and the internet, not each other.
    async fn network_options(&self) -> Result<HashMap<String, String>, EngineError> {
        let mut options =
            HashMap::from([(NEIGHBOURS.to_owned(), "false".to_owned()), (INTERFACE.to_owned(), self.network())]);
        options.extend(self.mtu().await?.map(|mtu| (MTU.to_owned(), mtu)));
        Ok(options)
    }

    /// The packet size of the engine's default network. New networks do not get it by themselves, and where the host's
    /// uplink takes less than the usual 1500 bytes, a function's large packets would get lost.
    async fn mtu(&self) -> Result<Option<String>, EngineError> {
        let found = self.docker()?.inspect_network(DEFAULT_NETWORK, None).await;
        match found.map_err(|source| self.error("inspect network", DEFAULT_NETWORK, source)) {
            Ok(network) => Ok(network.options.and_then(|mut options| options.remove(MTU))),
            // Engines other than Docker's have none of this name.
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes the networks of this installation, and the firewall's rules for them; answers with how many networks
    /// there were.
    pub(crate) async fn remove_networks(&self) -> Result<usize, EngineError> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{INSTANCE}={}", self.instance)])]);
        let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
        let found = self
            .docker()?
            .list_networks(Some(options))
            .await
            .map_err(|source| self.error("list", "networks", source))?;
        let ids: Vec<String> = found.into_iter().filter_map(|network| network.id).collect();
        for id in &ids {
            match self.docker()?.remove_network(id).await.map_err(|source| self.error("remove network", id, source)) {
                Err(error) if !error.is_missing() => return Err(error),
                _ => {}
            }
        }
        self.firewall.remove().await;
        Ok(ids.len())
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{Ipam, IpamConfig};

    use super::*;

    fn network(subnet: &str, gateway: Option<&str>, name: Option<&str>) -> NetworkInspect {
        let config = IpamConfig {
            subnet: Some(subnet.to_owned()),
            gateway: gateway.map(str::to_owned),
            ..IpamConfig::default()
        };
        NetworkInspect {
            id: Some("e34a46860c9eba1ee6cb765d4224938a".to_owned()),
            ipam: Some(Ipam { config: Some(vec![config]), ..Ipam::default() }),
            options: name.map(|name| HashMap::from([(INTERFACE.to_owned(), name.to_owned())])),
            ..NetworkInspect::default()
        }
    }

    #[test]
    fn a_bridge_knows_its_containers_by_their_addresses() {
        let bridge = Bridge::of(&network("192.168.176.0/20", Some("192.168.176.1"), Some("of-0123abcd"))).unwrap();
        assert_eq!(bridge.interface, "of-0123abcd");
        for inside in ["192.168.176.2", "192.168.191.254", "::ffff:192.168.180.1"] {
            assert!(bridge.has(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["192.168.176.1", "192.168.192.1", "127.0.0.1", "::1", "fe80::1"] {
            assert!(!bridge.has(outside.parse().unwrap()), "{outside}");
        }
        let unnamed = Bridge::of(&network("10.0.0.0/8", Some("10.0.0.9/8"), None)).unwrap();
        assert_eq!((unnamed.interface.as_str(), unnamed.gateway), ("br-e34a46860c9e", Ipv4Addr::new(10, 0, 0, 9)));
        let silent = Bridge::of(&network("10.1.2.0/24", None, None)).unwrap();
        assert_eq!(silent.gateway, Ipv4Addr::new(10, 1, 2, 1));
        assert!(Bridge::of(&network("fd00::/64", Some("fd00::1"), None)).is_none());
        assert!(Bridge::of(&network("10.0.0.0/33", Some("10.0.0.1"), None)).is_none());
    }

    #[test]
    fn the_bridge_is_remembered_until_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let seen = LastSeen::within(dir.path());
        assert_eq!(seen.read(), None);
        let bridge = Bridge::of(&network("192.168.176.0/20", Some("192.168.176.1"), Some("of-0123abcd"))).unwrap();
        seen.keep(Some(&bridge));
        assert_eq!(seen.read(), Some(bridge));
        for nonsense in ["", "of-1 192.168.1.1", "of-1 here 10.0.0.0/8", "of-1 10.0.0.1 10.0.0.0"] {
            std::fs::write(dir.path().join(LAST_SEEN), nonsense).unwrap();
            assert_eq!(seen.read(), None, "{nonsense}");
        }
        seen.keep(None);
        assert!(!dir.path().join(LAST_SEEN).exists());
        seen.keep(None);
    }
}
