//! The gateway's proxying: one function in a container, called through the gateway and through nginx.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use bollard::query_parameters::{BuildImageOptionsBuilder, ListContainersOptionsBuilder, RemoveImageOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::TryStreamExt;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::child::Process;
use crate::nginx::Nginx;
use crate::report::{Report, Row, median};
use crate::servers::Server;
use crate::servers::containers::{LOGIN, config};
use crate::wrk;

const ROUNDS: usize = 5;
const FUNCTION: &str = "hello";
const PORT: u16 = 8080;
const DOCKERFILE: &str = "FROM debian:bookworm-slim\nCOPY function-server /function-server\nUSER 1000\nENTRYPOINT [\"/function-server\", \"hyper\"]\n";

/// Measures line 4 of the budgets.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let place = Place::make()?;
    let gateway = Process::start(Server::Containers, &[("bench_directory", place.directory())])?;
    place.runtime.block_on(place.deploy(&gateway.url))?;
    let nginx = Nginx::in_front_of(&place.runtime.block_on(place.address())?)?;
    let url = format!("{}function/{FUNCTION}", gateway.url);
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(wrk::rate(&url, None)?);
        peers.push(wrk::rate(&nginx.url, None)?);
    }
    let ratio = median(ours.iter().zip(&peers).map(|(ours, peer)| ours / peer).collect());
    report.add(Row {
        what: "gateway, requests to one function in a container".to_owned(),
        ours: format!("{:.0}/s", median(ours)),
        peer: format!("nginx proxy_pass {:.0}/s", median(peers)),
        ratio: format!("{ratio:.2}"),
        budget: "≥ 0.8".to_owned(),
        holds: ratio >= 0.8,
    });
    Ok(())
}

/// A gateway's data, and an image of this program as a function; both removed when dropped.
struct Place {
    runtime: Runtime,
    docker: Docker,
    data: tempfile::TempDir,
    image: String,
}

impl Place {
    fn make() -> Result<Self> {
        let runtime = Runtime::new()?;
        let data = tempfile::tempdir()?;
        let engine = config(data.path()).engine;
        let docker = runtime.block_on(async { Docker::connect_with_unix(&engine, 120, API_DEFAULT_VERSION) })?;
        let place = Self { runtime, docker, data, image: format!("of-bench-{}:hello", std::process::id()) };
        place.runtime.block_on(place.build())?;
        Ok(place)
    }

    fn directory(&self) -> String {
        self.data.path().display().to_string()
    }

    async fn build(&self) -> Result<()> {
        let options = BuildImageOptionsBuilder::default().t(&self.image).rm(true).build();
        let steps = self.docker.build_image(options, None, Some(bollard::body_full(context()?.into())));
        let built = steps.try_collect::<Vec<_>>().await;
        built.context("the image cannot be built: run scripts/engine start and scripts/base-images")?;
        Ok(())
    }

    /// The function gets all cores, as nothing holds nginx back either.
    async fn deploy(&self, gateway: &str) -> Result<()> {
        let cores = std::thread::available_parallelism()?.to_string();
        let environment = json!({"host": "0.0.0.0", "port": PORT.to_string()});
        let order = json!({"service": FUNCTION, "image": self.image, "envVars": environment, "limits": {"cpu": cores}});
        let request = sdk::http::client().post(format!("{gateway}system/functions")).json(&order);
        let answer = request.basic_auth(LOGIN.0, Some(LOGIN.1)).send().await?;
        let status = answer.status();
        ensure!(status.is_success(), "the gateway refused the function with {status}: {}", answer.text().await?);
        Ok(())
    }

    /// Where the function's container answers.
    async fn address(&self) -> Result<String> {
        let instance = std::fs::read_to_string(self.data.path().join("instance"))?;
        let labels = vec![format!("of-gateway.instance={}", instance.trim())];
        let options = ListContainersOptionsBuilder::default().filters(&HashMap::from([("label", labels)])).build();
        let containers = self.docker.list_containers(Some(options)).await?;
        let networks = containers.into_iter().find_map(|one| one.network_settings?.networks);
        let endpoint = networks.into_iter().flatten().find_map(|(_, endpoint)| endpoint.ip_address);
        Ok(format!("{}:{PORT}", endpoint.context("the function's container has no address")?))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let options = RemoveImageOptionsBuilder::default().force(true).build();
        let cleared = self.runtime.block_on(async {
            let purged = of_gateway::purge(&config(self.data.path())).await;
            let _ = self.docker.remove_image(&self.image, Some(options), None).await;
            purged
        });
        if let Err(error) = cleared {
            eprintln!("the function's container is left behind: {error}");
        }
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
