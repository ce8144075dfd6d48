//! Containers without a gateway, by `docker run` and `docker start`.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use super::image::{ANSWER, Image, PORT};
use super::{answered, block_on};

/// A network for them, as the gateway has one for its functions; removed when dropped.
pub(super) struct Plain<'a> {
    image: &'a Image,
    network: String,
    made: AtomicUsize,
}

/// A container; removed when dropped.
pub(super) struct Container<'a> {
    plain: &'a Plain<'a>,
    name: String,
}

impl<'a> Plain<'a> {
    /// Makes the network.
    pub(super) async fn prepare(image: &'a Image) -> Result<Self> {
        let network = format!("of-bench-{}", std::process::id());
        docker(&["network", "create", &network]).await?;
        Ok(Self { image, network, made: AtomicUsize::new(0) })
    }

    /// `docker run` with nothing but the image.
    pub(super) async fn run(&'a self) -> Result<Container<'a>> {
        let name = format!("{}-{}", self.network, self.made.fetch_add(1, Ordering::Relaxed));
        // Made first: even one that fails to start is there afterwards.
        let container = Container { plain: self, name };
        let from = ["--detach", "--network", &self.network, "--name", &container.name, &self.image.name];
        docker(&[&["run"], &from[..]].concat()).await?;
        Ok(container)
    }
}

impl Container<'_> {
    /// `docker start`.
    pub(super) async fn start(&self) -> Result<()> {
        docker(&["start", &self.name]).await
    }

    /// Ends its process, without grace.
    pub(super) async fn kill(&self) -> Result<()> {
        docker(&["kill", &self.name]).await
    }

    /// Resolves when it answers.
    pub(super) async fn answered(&self, client: &reqwest::Client) -> Result<()> {
        let inspected = self.plain.image.docker.inspect_container(&self.name, None).await?;
        let networks = inspected.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let address = networks.into_values().find_map(|network| network.ip_address);
        let address = address.context("the container has no address")?;
        answered(client, &format!("http://{address}:{PORT}/"), ANSWER).await
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        clear(&["rm", "--force", "--volumes", &self.name]);
    }
}

impl Drop for Plain<'_> {
    fn drop(&mut self) {
        clear(&["network", "rm", &self.network]);
    }
}

fn clear(arguments: &[&str]) {
    if let Err(error) = block_on(docker(arguments)) {
        eprintln!("something is left behind: {error:#}");
    }
}

async fn docker(arguments: &[&str]) -> Result<()> {
    let output = Command::new("docker").args(arguments).stdin(Stdio::null()).output().await;
    let output = output.context("cannot start docker; scripts/setup bench installs it")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "docker {} failed: {complaint}", arguments.join(" "));
    Ok(())
}
