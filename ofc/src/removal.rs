//! Taking away what a platform made in the container engine, and its data.

use std::collections::{HashMap, HashSet};

use anyhow::Context;
use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptionsBuilder};
use sdk::id::Owner;

use crate::data_dir::DataDir;
use crate::engine;
use crate::platform;

/// What the builder writes on every image that it makes.
const BUILDER_LABEL: &str = "com.openfaas.cloud.builder=of-builder";

/// Removes containers, network and images of the platform in a data directory. It must not be running.
///
/// # Errors
/// When the engine does not do it.
pub async fn remove(data: &DataDir) -> anyhow::Result<()> {
    remove_containers(data).await?;
    let mut images = Vec::new();
    for owner in owners(data) {
        images.extend(images_of(&owner).await?);
    }
    remove_images(&images).await
}

/// Removes its containers and network.
///
/// # Errors
/// When the engine does not do it.
pub async fn remove_containers(data: &DataDir) -> anyhow::Result<()> {
    let config = platform::gateway_base(data, String::new(), secrecy::SecretString::default());
    of_gateway::purge(&config).await.context("the functions' containers cannot be removed")?;
    Ok(())
}

/// The images that were built for an owner's functions, by name.
///
/// # Errors
/// When the engine does not list them.
pub async fn images_of(owner: &Owner) -> anyhow::Result<Vec<String>> {
    let filters = HashMap::from([("label", vec![BUILDER_LABEL])]);
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let images =
        engine::connect().await?.list_images(Some(options)).await.context("the engine does not list its images")?;
    let tags = images.into_iter().flat_map(|image| image.repo_tags);
    let names: HashSet<String> = tags.filter(|name| is_of(name, owner)).collect();
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort();
    Ok(names)
}

/// Whether an image is an owner's by its name, `[<registry prefix>]<owner>/<image>:<tag>`.
fn is_of(name: &str, owner: &Owner) -> bool {
    name.rsplit('/').nth(1) == Some(owner.as_str())
}

/// Removes images. One that a container of another platform uses stays.
///
/// # Errors
/// When the engine does not do it.
pub async fn remove_images(names: &[String]) -> anyhow::Result<()> {
    let docker = engine::connect().await?;
    let options = RemoveImageOptionsBuilder::default().build();
    for name in names {
        match docker.remove_image(name, Some(options.clone()), None).await {
            Ok(_) => {}
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) => {}
            Err(cause) => return Err(cause).with_context(|| format!("the image {name} cannot be removed")),
        }
    }
    Ok(())
}

/// Removes the data directory.
///
/// # Errors
/// When something in it cannot be removed.
pub fn remove_data(data: &DataDir) -> anyhow::Result<()> {
    std::fs::remove_dir_all(data.root()).with_context(|| format!("{} cannot be removed", data.root().display()))
}

/// Everybody who has pushed to this platform.
fn owners(data: &DataDir) -> Vec<Owner> {
    let list = std::fs::read_to_string(data.customers()).unwrap_or_default();
    // Behind a login may stand the account that it means.
    list.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_its_owner_s_with_and_without_a_registry() {
        let owner = "alice".parse().unwrap();
        for name in ["alice/app-hello:main-0123", "127.0.0.1:5000/alice/app-hello:x", "ghcr.io/acme/alice/app-hello:x"]
        {
            assert!(is_of(name, &owner), "{name}");
        }
        for name in ["alice:x", "bob/alice:x", "alice/bob/app:x", "alice-x/app:x", "ghcr.io/alice/bob/app:x"] {
            assert!(!is_of(name, &owner), "{name}");
        }
    }
}
