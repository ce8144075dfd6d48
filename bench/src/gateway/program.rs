//! The gateway as a process of its own, and its management.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bollard::Docker;
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::ListContainersOptionsBuilder;
use of_gateway::Config;
use openfaas_runtime::{Env, SecretString};
use reqwest::Method;
use sdk::gateway::{DeleteRequest, FunctionDeployment, FunctionStatus, ScaleRequest};
use serde::Serialize;
use tempfile::TempDir;

use super::block_on;
use super::image::Image;
use crate::child::{free_port, resident_mib, terminate};

const LOGIN: (&str, &str) = ("admin", "admin");
const START_LIMIT: Duration = Duration::from_secs(10);
const END_LIMIT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(5);

/// A gateway on its default configuration; ended when dropped, together with its containers.
pub(super) struct Program {
    child: Child,
    /// Where it answers.
    pub(super) url: String,
    /// For its management, and for calls.
    pub(super) client: reqwest::Client,
    docker: Docker,
    data: TempDir,
}

/// What is needed of a gateway's configuration to clear up behind it.
pub(super) fn config(data_dir: &Path) -> Config {
    let mut config = Config::new(data_dir, LOGIN.0, SecretString::from(LOGIN.1));
    if let Some(engine) = Env::from_process().var("DOCKER_HOST") {
        config.engine = engine.to_owned();
    }
    config
}

impl Program {
    /// Starts it with `more` in its environment and waits until it takes calls.
    pub(super) async fn start(image: &Image, more: &[(&str, String)]) -> Result<Self> {
        let (data, port) = (tempfile::tempdir()?, free_port()?);
        let credentials = data.path().join("credentials");
        std::fs::create_dir(&credentials)?;
        std::fs::write(credentials.join("basic-auth-user"), LOGIN.0)?;
        std::fs::write(credentials.join("basic-auth-password"), LOGIN.1)?;
        let program = std::env::current_exe()?.with_file_name("of-gateway");
        let mut command = Command::new(&program);
        command.arg("--listen").arg(format!("127.0.0.1:{port}")).args(["--metrics-listen", "127.0.0.1:0"]);
        command.env("RUST_LOG", "warn");
        command.env("data_dir", data.path().join("data")).env("secret_mount_path", &credentials);
        command.envs(more.iter().map(|(name, value)| (name, value)));
        let child = command.stdout(Stdio::null()).stderr(File::create(data.path().join("log"))?).spawn();
        let child = child.with_context(|| {
            format!("cannot start {}: build it with cargo build --release -p of-gateway", program.display())
        })?;
        let url = format!("http://127.0.0.1:{port}/");
        let mut program = Self { child, url, client: sdk::http::client(), docker: image.docker.clone(), data };
        program.wait_until_ready().await?;
        Ok(program)
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let (began, url) = (Instant::now(), format!("{}ready", self.url));
        loop {
            if self.client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if self.child.try_wait()?.is_some() || began.elapsed() > START_LIMIT {
                let log = std::fs::read_to_string(self.data.path().join("log")).unwrap_or_default();
                bail!("the gateway did not start: {log}");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Where a function is called.
    pub(super) fn function(&self, name: &str) -> String {
        format!("{}function/{name}", self.url)
    }

    /// A deployment of the image; one that exists already is updated.
    pub(super) async fn deploy(&self, function: &FunctionDeployment) -> Result<()> {
        self.manage(Method::POST, "system/functions", function).await
    }

    /// An update of what is deployed.
    pub(super) async fn update(&self, function: &FunctionDeployment) -> Result<()> {
        self.manage(Method::PUT, "system/functions", function).await
    }

    /// Takes a function away.
    pub(super) async fn remove(&self, name: &str) -> Result<()> {
        let request = DeleteRequest { function_name: name.to_owned(), namespace: String::new() };
        self.manage(Method::DELETE, "system/functions", &request).await
    }

    /// Scales a function to zero.
    pub(super) async fn scale_to_zero(&self, name: &str) -> Result<()> {
        let request = ScaleRequest { service_name: name.to_owned(), replicas: 0, namespace: String::new() };
        self.manage(Method::POST, &format!("system/scale-function/{name}"), &request).await
    }

    async fn manage(&self, method: Method, path: &str, body: &impl Serialize) -> Result<()> {
        let request = self.client.request(method.clone(), format!("{}{path}", self.url)).json(body);
        let answer = request.basic_auth(LOGIN.0, Some(LOGIN.1)).send().await?;
        let status = answer.status();
        ensure!(status.is_success(), "{method} /{path} was answered with {status}: {}", answer.text().await?);
        Ok(())
    }

    /// All functions.
    pub(super) async fn list(&self) -> Result<Vec<FunctionStatus>> {
        let request = self.client.get(format!("{}system/functions", self.url)).basic_auth(LOGIN.0, Some(LOGIN.1));
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// Resolves when no container of a function runs any more.
    pub(super) async fn wait_until_stopped(&self) -> Result<()> {
        let began = Instant::now();
        while self.containers().await?.iter().any(|one| one.state != Some(ContainerSummaryStateEnum::EXITED)) {
            ensure!(began.elapsed() < START_LIMIT, "the function's containers did not stop");
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// What the engine says of the functions' containers, running or not.
    pub(super) async fn containers(&self) -> Result<Vec<ContainerSummary>> {
        let instance = std::fs::read_to_string(self.data.path().join("data/instance"))?;
        let labels = vec![format!("of-gateway.instance={}", instance.trim())];
        let options = ListContainersOptionsBuilder::default().all(true).filters(&HashMap::from([("label", labels)]));
        Ok(self.docker.list_containers(Some(options.build())).await?)
    }

    /// Politely first: a container that the engine is just stopping for it would be in the way of the clearing.
    async fn end(&mut self) {
        terminate(&self.child);
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && began.elapsed() < END_LIMIT {
            tokio::time::sleep(POLL).await;
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Memory in use now, in MiB.
    pub(super) fn resident_mib(&self) -> Result<f64> {
        resident_mib(self.child.id())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let cleared = block_on(async {
            self.end().await;
            of_gateway::purge(&config(&self.data.path().join("data"))).await
        });
        if let Err(error) = cleared {
            eprintln!("containers of the gateway's functions are left behind: {error}");
        }
    }
}

/// A deployment of the image under this name.
pub(super) fn order(image: &Image, name: &str) -> FunctionDeployment {
    FunctionDeployment { service: name.to_owned(), image: image.name.clone(), ..FunctionDeployment::default() }
}

/// The same with a variable for the container.
pub(super) fn order_with(image: &Image, name: &str, variable: &str, value: &str) -> FunctionDeployment {
    let mut order = order(image, name);
    order.env_vars.insert(variable.to_owned(), value.to_owned());
    order
}
