//! The real container engine, asked beside the platform.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::{ContainerInspectResponse, ContainerSummaryStateEnum};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};

use crate::web::runtime;

const INSTANCE: &str = "of-gateway.instance";
const FUNCTION: &str = "of-gateway.function";

/// A container of one platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Container {
    /// The function that it runs.
    pub function: String,
    /// Its name, which says its part at its end.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its image's id.
    pub image: String,
    /// True while it runs.
    pub running: bool,
}

/// The engine that the tests themselves use.
#[derive(Debug)]
pub struct Engine(Docker);

impl Engine {
    /// The machine's engine, or the one of `DOCKER_HOST`.
    pub fn connect() -> Self {
        let docker = runtime().block_on(async { Docker::connect_with_defaults() });
        Self(docker.expect("a container engine must run: scripts/engine start"))
    }

    /// The containers of an installation, sorted by function and name.
    pub fn containers(&self, instance: &str) -> Vec<Container> {
        let filters = HashMap::from([("label", vec![format!("{INSTANCE}={instance}")])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let listed = runtime().block_on(self.0.list_containers(Some(options))).unwrap();
        let mut containers: Vec<_> = listed
            .into_iter()
            .map(|summary| Container {
                function: summary.labels.unwrap_or_default().remove(FUNCTION).unwrap_or_default(),
                name: summary.names.unwrap_or_default().concat(),
                id: summary.id.unwrap_or_default(),
                image: summary.image_id.unwrap_or_default(),
                running: summary.state == Some(ContainerSummaryStateEnum::RUNNING),
            })
            .collect();
        containers.sort();
        containers
    }

    /// All that the engine says about a container.
    pub fn inspect(&self, id: &str) -> ContainerInspectResponse {
        runtime().block_on(self.0.inspect_container(id, None)).unwrap()
    }

    /// Removes a container behind the platform's back.
    pub fn remove(&self, id: &str) {
        let options = bollard::query_parameters::RemoveContainerOptionsBuilder::default().force(true).build();
        runtime().block_on(self.0.remove_container(id, Some(options))).unwrap();
    }

    /// Gives an image one more name.
    pub fn tag(&self, image: &str, repository: &str) {
        let options = TagImageOptionsBuilder::default().repo(repository).tag("latest").build();
        runtime().block_on(self.0.tag_image(image, Some(options))).unwrap();
    }

    /// Takes a name of an image away.
    pub fn untag(&self, name: &str) {
        let options = RemoveImageOptionsBuilder::default().build();
        runtime().block_on(self.0.remove_image(name, Some(options), None)).unwrap();
    }

    /// The tags of an owner's images.
    pub fn images_of(&self, owner: &str) -> Vec<String> {
        let options = ListImagesOptionsBuilder::default().build();
        let images = runtime().block_on(self.0.list_images(Some(options))).unwrap();
        let prefix = format!("{owner}/");
        images.into_iter().flat_map(|image| image.repo_tags).filter(|tag| tag.starts_with(&prefix)).collect()
    }

    /// Removes all images whose names begin so, and that nothing runs.
    pub fn forget_images(&self, prefix: &str) {
        let options = ListImagesOptionsBuilder::default().build();
        let images = runtime().block_on(self.0.list_images(Some(options))).unwrap();
        let names = images.into_iter().flat_map(|image| image.repo_tags.into_iter().chain(image.repo_digests));
        for name in names.filter(|name| name.starts_with(prefix)) {
            let options = RemoveImageOptionsBuilder::default().force(true).build();
            // Its last name takes the image and the other names with it.
            let _ = runtime().block_on(self.0.remove_image(&name, Some(options), None));
        }
    }

    /// True if there is an image of this name.
    pub fn has_image(&self, name: &str) -> bool {
        runtime().block_on(self.0.inspect_image(name)).is_ok()
    }

    /// True if a network of this installation is there.
    pub fn has_network_of(&self, instance: &str) -> bool {
        let networks = runtime().block_on(self.0.list_networks(None)).unwrap();
        let ours = |labels: HashMap<String, String>| labels.get(INSTANCE).is_some_and(|value| value == instance);
        networks.into_iter().any(|network| network.labels.is_some_and(ours))
    }
}
