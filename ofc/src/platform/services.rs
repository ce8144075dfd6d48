//! The parts that listen, and the order in which they end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use sdk::Env;
use sdk::id::Owner;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::listeners::Listeners;
use super::variables::Variables;
use super::{auth, edge, functions, import_secrets, site, tenants};
use crate::data_dir::DataDir;
use crate::instance::Record;
use crate::report::Trouble;
use crate::secrets::{BUILDER, BUILDER_KEY, GIT_TOKEN_KEY, GITHUB_APP_ID, GITHUB_APP_KEY, PAYLOAD, WEBHOOK};

/// How long requests from outside may take to end.
const FRONT_LIMIT: Duration = Duration::from_secs(3);
/// How long work of the pipeline may take to end. What is cut off is in the queue, and done again.
const BACK_LIMIT: Duration = Duration::from_secs(5);

type Ended = (&'static str, anyhow::Result<()>);

/// Five servers in this process.
pub(super) struct Services {
    front: JoinSet<Ended>,
    back: JoinSet<Ended>,
    stop_front: CancellationToken,
    stop_back: CancellationToken,
}

impl Services {
    pub(super) async fn start(
        data: &DataDir,
        record: &Record,
        owner: Owner,
        variables: Variables,
        listeners: Listeners,
    ) -> anyhow::Result<Self> {
        let days = variables.site().stage.sealing_key_days;
        let (secrets, keeper) = import_secrets::mount(data, &variables, days)?;
        let gateway = gateway_config(data, &variables, secrets)?;
        let gateway = of_gateway::Gateway::start(gateway).await.context("the gateway cannot start")?;
        let builder = builder_config(&variables)?;
        let (stop_front, stop_back) = (CancellationToken::new(), CancellationToken::new());
        let git = git_host(data, record, owner, &variables, &stop_front).await?;
        let signs_in = variables.site().signs_in();
        let auth = if signs_in { Some(auth::config(data, record, &variables).await?) } else { None };
        let router = router_config(record, signs_in.then_some(listeners.auth_address), &variables)?;
        let encrypted = edge::open(data, &router, listeners.encrypted, &variables)?;
        let (mut front, mut back) = (JoinSet::new(), JoinSet::new());
        if let Some(listener) = listeners.metrics {
            tracing::info!(address = %listener.local_addr()?, "Metrics are served.");
            let (page, stop) = (gateway.metrics(), stop_back.clone().cancelled_owned());
            let serving = axum::serve(listener, page).with_graceful_shutdown(stop);
            back.spawn(async move { ("metrics' port", serving.await.map_err(anyhow::Error::from)) });
        }
        let stop = stop_back.clone();
        back.spawn(async move { ("keeper of sealing keys", keeper.run(stop).await) });
        let stop = stop_back.clone();
        back.spawn(async move { ("gateway", gateway.serve(listeners.gateway, stop).await) });
        let stop = stop_back.clone();
        back.spawn(async move { ("builder", of_builder::serve(builder, listeners.builder, stop).await) });
        if let Some(git) = git {
            front.spawn(async move { ("git host", git.serve(listeners.git).await) });
        }
        if let Some(auth) = auth {
            let stop = stop_front.clone();
            front.spawn(async move { ("auth service", of_auth::serve(auth, listeners.auth, stop).await) });
        }
        let (stop, doors) = (stop_front.clone(), of_router::Listeners { plain: listeners.router, encrypted });
        let changes = tokio::sync::mpsc::channel(1).1;
        front.spawn(async move { ("router", of_router::serve_on(router, doors, stop, changes).await) });
        Ok(Self { front, back, stop_front, stop_back })
    }

    /// Keeps a tenant list up to date that is at an address.
    pub(super) fn keep_tenants(&mut self, url: url::Url, path: PathBuf) {
        let stop = self.stop_back.clone();
        self.back.spawn(async move {
            tenants::refresh(url, path, stop.clone()).await;
            ("tenant list", Ok(()))
        });
    }

    /// Serves until `stop`, or until one of them ends by itself, which is an error.
    pub(super) async fn serve(&mut self, stop: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            Some(ended) = self.front.join_next() => Err(unexpected(ended)),
            Some(ended) = self.back.join_next() => Err(unexpected(ended)),
        }
    }

    /// Ends them all, those first that are reached from outside: what they still do needs the gateway.
    pub(super) async fn drain(&mut self) {
        self.stop_front.cancel();
        drain(&mut self.front, FRONT_LIMIT).await;
        self.stop_back.cancel();
        drain(&mut self.back, BACK_LIMIT).await;
    }
}

fn unexpected(ended: Result<Ended, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok((name, Ok(()))) => anyhow::anyhow!("the {name} ended by itself"),
        Ok((name, Err(cause))) => cause.context(format!("the {name} failed")),
        Err(cause) => anyhow::Error::new(cause).context("a part of the platform failed"),
    }
}

async fn drain(services: &mut JoinSet<Ended>, limit: Duration) {
    let all = async {
        while let Some(ended) = services.join_next().await {
            if let Ok((name, Err(error))) = ended {
                tracing::warn!(error = format!("{error:#}"), "The {name} did not end well");
            }
        }
    };
    if timeout(limit, all).await.is_err() {
        tracing::warn!("Work was cut off after {} s; the queue has it, and the next start does it", limit.as_secs());
    }
}

/// The engine that `DOCKER_HOST` names, for gateway and builder alike.
fn engine() -> Option<String> {
    Env::from_process().var("DOCKER_HOST").map(str::to_owned)
}

pub(crate) fn gateway_base(data: &DataDir, user: String, password: secrecy::SecretString) -> of_gateway::Config {
    let mut config = of_gateway::Config::new(data.gateway(), user, password);
    config.engine = engine().unwrap_or(config.engine);
    // Tenants' functions call each other's siblings, and nothing else: the management API is the platform's own, and
    // the queue is shared with the pipeline.
    config.inside = of_gateway::Inside { system: false, asynchronous: false, ..config.inside };
    // Together within BACK_LIMIT, so that the gateway ends in its own order.
    config.graces = of_gateway::Graces {
        calls: Duration::from_secs(2),
        connections: Duration::from_millis(1500),
        deployments: Duration::from_secs(1),
    };
    config
}

fn gateway_config(
    data: &DataDir,
    variables: &Variables,
    secrets: of_gateway::PlatformFunction,
) -> anyhow::Result<of_gateway::Config> {
    let (user, password) = variables.gateway_login()?;
    let mut config = gateway_base(data, user, password);
    config.platform = functions::all(variables)?;
    config.platform.push(secrets);
    let file = variables.site().registry_credentials();
    config.registries = file.map_or(config.registries, of_gateway::RegistryCredentials::File);
    Ok(config)
}

fn builder_config(variables: &Variables) -> anyhow::Result<of_builder::Config> {
    let env = variables.env(&[("payload-secret", BUILDER), (BUILDER_KEY, BUILDER_KEY)])?;
    let mut config = of_builder::Config::from_env(&env).context("the builder is not configured rightly")?;
    config.docker_host = engine().unwrap_or(config.docker_host);
    // There is one engine, and without a registry what it has needs no second build.
    config.reuse_images = config.registry.is_none();
    Ok(config)
}

/// The platform's own git host, where there is one. Opened before the others start: it writes the tenant list that they
/// read.
async fn git_host(
    data: &DataDir,
    record: &Record,
    owner: Owner,
    variables: &Variables,
    stop: &CancellationToken,
) -> anyhow::Result<Option<of_git::Host>> {
    if variables.site().host() != site::Host::Own {
        return Ok(None);
    }
    let git = of_git::Host::open(git_config(data, record, owner, variables)?, stop.clone()).await;
    git.map(Some).context("the git host cannot start")
}

fn git_config(data: &DataDir, record: &Record, owner: Owner, variables: &Variables) -> anyhow::Result<of_git::Config> {
    let secrets = of_git::Secrets { webhook: variables.secret(WEBHOOK)?, token_key: variables.secret(GIT_TOKEN_KEY)? };
    let public_key = of_git::public_app_key(&variables.secret(GITHUB_APP_KEY)?);
    let public_key = public_key.map_err(|cause| {
        Trouble::new(format!("the secret {GITHUB_APP_KEY} cannot be used"))
            .hint("delete the file and start the platform again: it makes a new one")
            .because(cause)
    })?;
    // By address: not every resolver knows the names below the domain. It is signed as from anywhere else.
    let webhook = format!("{}/function/github-event", record.gateway_url()).parse()?;
    let mut config = of_git::Config::new(data.git(), record.git_url().parse()?, webhook, secrets);
    config.github_app = Some(of_git::GithubApp { id: GITHUB_APP_ID, public_key });
    config.customers_path = Some(data.customers());
    config.first_owner = Some(owner);
    config.client = Some(auth::client(record, variables)?);
    config.home_url = Some(format!("{}/", record.auth_url()).parse()?);
    Ok(config)
}

fn router_config(
    record: &Record,
    auth: Option<SocketAddr>,
    variables: &Variables,
) -> anyhow::Result<of_router::Config> {
    let domain = record.domain.parse().context("--domain cannot be used")?;
    let (user, password) = variables.gateway_login()?;
    let mut config = of_router::Config::new(domain, record.gateway_url().parse()?, user, password);
    config.git_url = record.git.map(|git| format!("http://{git}").parse()).transpose()?;
    config.auth_url = auth.map(|auth| format!("http://{auth}").parse()).transpose()?;
    config.auth_public_url = Some(record.auth_url().parse()?);
    if let Some(outside) = &record.outside {
        config.public_scheme.clone_from(&outside.scheme);
    }
    config.payload_secret = Some(variables.secret(PAYLOAD)?);
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_ends_by_itself_ends_all() {
        let (mut front, mut back) = (JoinSet::new(), JoinSet::new());
        let (stop_front, stop_back) = (CancellationToken::new(), CancellationToken::new());
        front.spawn(async { ("router", Err(anyhow::anyhow!("no file handles"))) });
        let stop = stop_back.clone();
        back.spawn(async move {
            stop.cancelled().await;
            ("gateway", Ok(()))
        });
        let mut services = Services { front, back, stop_front, stop_back };
        let error = services.serve(CancellationToken::new()).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "the router failed: no file handles");
        services.drain().await;
        assert!(services.back.is_empty());
    }
}
