//! The bridge network of this installation's functions.

use std::collections::HashMap;

use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::ListNetworksOptionsBuilder;

use super::record::INSTANCE;
use super::{Engine, EngineError};

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
