//! What happens to single containers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bollard::models::{ContainerInspectResponse, ContainerUpdateBody, RestartPolicy, RestartPolicyNameEnum};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder,
    RestartContainerOptionsBuilder, StopContainerOptionsBuilder,
};
use chrono::{DateTime, Utc};

use super::record::FUNCTION_PORT;
use super::template::PORT;
use super::{Engine, EngineError, Record, Role, Template};
use crate::config::Reach;

/// What functions of OpenFaaS call the gateway.
const GATEWAY_NAMES: [&str; 2] = ["gateway.openfaas", "gateway"];

/// What an inspection says about a container's process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Process {
    pub(crate) running: bool,
    /// Neither running nor about to be by the engine's own doing.
    pub(crate) stopped: bool,
    pub(crate) exit_code: i64,
    pub(crate) out_of_memory: bool,
    /// How long ago it was started.
    pub(crate) age: Option<Duration>,
    /// Where its port is, while it runs.
    pub(crate) address: Option<SocketAddr>,
}

impl Engine {
    /// Makes a candidate, not yet started; answers with its id.
    pub(crate) async fn create(&self, template: &Template) -> Result<String, EngineError> {
        let name = template.record.name(&self.instance, Role::Candidate);
        let body = template.body(&self.instance, &self.network(), self.reach, self.hosts()).map_err(|error| {
            EngineError::Refused {
                operation: "create container",
                object: name.clone(),
                status: 400,
                message: error.to_string(),
            }
        })?;
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let created = self.docker()?.create_container(Some(options), body).await;
        created.map(|created| created.id).map_err(|source| self.error("create container", &name, source).at_creation())
    }

    /// Names under which functions find the gateway.
    fn hosts(&self) -> Vec<String> {
        let address = match self.reach {
            // The engine's machine is not this one; it knows the way.
            Reach::PublishedPort => Some("host-gateway".to_owned()),
            Reach::ContainerIp => self.bridge.borrow().as_ref().map(|bridge| bridge.gateway.to_string()),
        };
        let address = address.filter(|_| self.inside);
        address.iter().flat_map(|address| GATEWAY_NAMES.map(|name| format!("{name}:{address}"))).collect()
    }

    pub(crate) async fn start(&self, id: &str) -> Result<(), EngineError> {
        self.residents.forget();
        match self.docker()?.start_container(id, None).await.map_err(|source| self.error("start container", id, source))
        {
            Err(error) if error.is_already() => Ok(()),
            other => other,
        }
    }

    /// Ends the process, politely for as long as configured, and starts it anew.
    pub(crate) async fn restart(&self, id: &str) -> Result<(), EngineError> {
        self.residents.forget();
        let options = RestartContainerOptionsBuilder::default().t(self.stop_seconds()).build();
        let restarted = self.docker()?.restart_container(id, Some(options)).await;
        restarted.map_err(|source| self.error("restart container", id, source))
    }

    fn stop_seconds(&self) -> i32 {
        i32::try_from(self.stop_timeout.as_secs()).unwrap_or(i32::MAX)
    }

    /// Ends the process, politely for as long as configured.
    pub(crate) async fn stop(&self, id: &str) -> Result<(), EngineError> {
        let options = StopContainerOptionsBuilder::default().t(self.stop_seconds()).build();
        match self
            .docker()?
            .stop_container(id, Some(options))
            .await
            .map_err(|source| self.error("stop container", id, source))
        {
            Err(error) if error.is_already() || error.is_missing() => Ok(()),
            other => other,
        }
    }

    /// Removes a container, running or not. One that is gone, or going, is fine.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        match self
            .docker()?
            .remove_container(id, Some(options))
            .await
            .map_err(|source| self.error("remove container", id, source))
        {
            Err(error) if error.is_already() || error.is_missing() => Ok(()),
            other => other,
        }
    }

    /// Gives a container another part to play.
    pub(crate) async fn cast(&self, id: &str, record: &Record, role: Role) -> Result<(), EngineError> {
        let name = record.name(&self.instance, role);
        let options = RenameContainerOptionsBuilder::default().name(&name).build();
        match self
            .docker()?
            .rename_container(id, options)
            .await
            .map_err(|source| self.error("rename container", id, source))
        {
            Err(EngineError::Refused { message, .. }) if message.contains("same name") => Ok(()),
            other => other,
        }
    }

    /// From now on the engine restarts it when it ends and when the engine itself restarts, until it is stopped.
    pub(crate) async fn keep_running(&self, id: &str) -> Result<(), EngineError> {
        let policy = RestartPolicy { name: Some(RestartPolicyNameEnum::UNLESS_STOPPED), maximum_retry_count: None };
        let body = ContainerUpdateBody { restart_policy: Some(policy), ..ContainerUpdateBody::default() };
        self.docker()?.update_container(id, body).await.map_err(|source| self.error("update container", id, source))
    }

    /// `None` if there is no such container.
    pub(crate) async fn process(&self, id: &str) -> Result<Option<Process>, EngineError> {
        match self
            .docker()?
            .inspect_container(id, None)
            .await
            .map_err(|source| self.error("inspect container", id, source))
        {
            Ok(inspected) => Ok(Some(self.read(&inspected))),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(&self, inspected: &ContainerInspectResponse) -> Process {
        let state = inspected.state.as_ref();
        // A container between two restarts counts as running to the engine.
        let (running, restarting) =
            state.map_or((false, false), |s| (s.running == Some(true), s.restarting == Some(true)));
        Process {
            running: running && !restarting,
            stopped: !running && !restarting,
            exit_code: state.and_then(|s| s.exit_code).unwrap_or_default(),
            age: state.and_then(|s| age(s.started_at.as_deref()?)),
            out_of_memory: state.and_then(|s| s.oom_killed).unwrap_or_default(),
            address: match self.reach {
                Reach::ContainerIp => self.bridge_address(inspected),
                Reach::PublishedPort => published_address(inspected),
            },
        }
    }

    fn bridge_address(&self, inspected: &ContainerInspectResponse) -> Option<SocketAddr> {
        let networks = inspected.network_settings.as_ref()?.networks.as_ref()?;
        let ip: IpAddr = networks.get(&self.network())?.ip_address.as_ref()?.parse().ok()?;
        Some(SocketAddr::new(ip, FUNCTION_PORT))
    }
}

fn age(started_at: &str) -> Option<Duration> {
    let started = DateTime::parse_from_rfc3339(started_at).ok()?;
    Utc::now().signed_duration_since(started).to_std().ok()
}

fn published_address(inspected: &ContainerInspectResponse) -> Option<SocketAddr> {
    let ports = inspected.network_settings.as_ref()?.ports.as_ref()?;
    let port = ports.get(PORT)?.as_ref()?.first()?.host_port.as_ref()?.parse().ok()?;
    Some(SocketAddr::from(([127, 0, 0, 1], port)))
}
