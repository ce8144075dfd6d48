//! The image of which everything here is made: a server that starts in no time.

use std::path::Path;

use anyhow::{Context, Result};
use bollard::query_parameters::{BuildImageOptionsBuilder, RemoveImageOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::TryStreamExt;

use super::block_on;
use super::program::config;

/// Where a container of it listens.
pub(super) const PORT: u16 = 8080;
/// What it answers unless it is told otherwise.
pub(super) const ANSWER: &str = "hello";
const DOCKERFILE: &str = "FROM debian:bookworm-slim\nCOPY function-server /function-server\nUSER 1000\n\
     ENV host=0.0.0.0 port=8080 mode=hyper\nENTRYPOINT [\"/function-server\"]\n";
const ENGINE_SECONDS: u64 = 120;

/// A function's image; removed when dropped.
pub(super) struct Image {
    /// The engine that has it.
    pub(super) docker: Docker,
    /// Its name there.
    pub(super) name: String,
}

impl Image {
    /// Builds it.
    pub(super) async fn build() -> Result<Self> {
        let engine = config(Path::new("")).engine;
        let docker = Docker::connect_with_unix(&engine, ENGINE_SECONDS, API_DEFAULT_VERSION)?;
        let image = Self { docker, name: format!("of-bench-{}:hello", std::process::id()) };
        let options = BuildImageOptionsBuilder::default().t(&image.name).rm(true).build();
        let steps = image.docker.build_image(options, None, Some(bollard::body_full(context()?.into())));
        let built = steps.try_collect::<Vec<_>>().await;
        built.context("the image cannot be built: run scripts/engine start and scripts/base-images")?;
        Ok(image)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let options = RemoveImageOptionsBuilder::default().force(true).build();
        // It may not even have been built.
        let _ = block_on(self.docker.remove_image(&self.name, Some(options), None));
    }
}

/// What the image is built from.
fn context() -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    // The engine does not know the form that files with holes get.
    archive.sparse(false);
    let mut header = tar::Header::new_gnu();
    header.set_size(DOCKERFILE.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append_data(&mut header, Path::new("Dockerfile"), DOCKERFILE.as_bytes())?;
    archive.append_path_with_name(crate::child::function_server()?, "function-server")?;
    Ok(archive.into_inner()?)
}
