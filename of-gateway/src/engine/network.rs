//! The bridge network of this installation's functions.

use std::collections::HashMap;

use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::ListNetworksOptionsBuilder;

use super::record::INSTANCE;
use super::{Engine, EngineError};

/// The engine's own network, whose settings its administrator has chosen.
const DEFAULT_NETWORK: &str = "bridge";
const MTU: &str = "com.docker.network.driver.mtu";
/// Whether containers of a network reach each other.
const NEIGHBOURS: &str = "com.docker.network.bridge.enable_icc";

impl Engine {
    pub(crate) fn network(&self) -> String {
        format!("of-{}", self.instance)
    }

    /// Makes the network if it is not there. The engine picks its addresses.
    pub(crate) async fn ensure_network(&self) -> Result<(), EngineError> {
        let name = self.network();
        let _alone = self.making_network.lock().await;
        match self
            .docker()?
            .inspect_network(&name, None)
            .await
            .map_err(|source| self.error("inspect network", &name, source))
        {
            Ok(_) => return Ok(()),
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
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
        let mut options = HashMap::from([(NEIGHBOURS.to_owned(), "false".to_owned())]);
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

    /// Removes the networks of this installation; answers with how many there were.
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
        Ok(ids.len())
    }
}
