//! What is written on a container: its name and its labels.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use sdk::gateway::FunctionDeployment;

use crate::config::Reach;
use crate::functions::FunctionId;

/// The port of OpenFaaS' container contract.
pub(super) const FUNCTION_PORT: u16 = 8080;
/// The installation a container or network belongs to.
pub(super) const INSTANCE: &str = "of-gateway.instance";
/// The function a container runs.
pub(super) const FUNCTION: &str = "of-gateway.function";
/// The namespace of that function.
pub(super) const NAMESPACE: &str = "of-gateway.namespace";
const GENERATION: &str = "of-gateway.generation";
const INDEX: &str = "of-gateway.index";
const SPEC: &str = "of-gateway.spec";
const IMAGE: &str = "of-gateway.image";
const SECRETS: &str = "of-gateway.secrets";

/// The part a container plays, written at the end of its name: renaming is the one change that an engine makes
/// at once and keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Started to become live; removed if nobody commits it.
    Candidate,
    /// A replica of the function.
    Live,
    /// Stopped, and keeps the record of a function scaled to zero.
    Parked,
    /// To be removed.
    Leaving,
}

impl Role {
    const SUFFIXES: [(Self, &'static str); 3] =
        [(Self::Candidate, "-new"), (Self::Parked, "-zero"), (Self::Leaving, "-gone")];

    fn suffix(self) -> &'static str {
        Self::SUFFIXES.iter().find(|(role, _)| *role == self).map_or("", |(_, suffix)| suffix)
    }

    fn of(name: &str) -> Self {
        Self::SUFFIXES.iter().find(|(_, suffix)| name.ends_with(suffix)).map_or(Self::Live, |(role, _)| *role)
    }
}

/// What the labels of a container say.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) function: FunctionId,
    /// Milliseconds since 1970 at the deployment; a later version has a greater one.
    pub(crate) generation: u64,
    pub(crate) index: u32,
    pub(crate) spec: FunctionDeployment,
    pub(crate) image_id: String,
    pub(crate) secrets: String,
}

impl Record {
    pub(crate) fn name(&self, instance: &str, role: Role) -> String {
        let Self { function, generation, index, .. } = self;
        format!("of-{instance}-{function}-{generation}-{index}{}", role.suffix())
    }

    pub(super) fn labels(&self, instance: &str) -> Result<HashMap<String, String>, serde_json::Error> {
        let pairs = [
            (INSTANCE, instance.to_owned()),
            (FUNCTION, self.function.name.clone()),
            (NAMESPACE, self.function.namespace.clone()),
            (GENERATION, self.generation.to_string()),
            (INDEX, self.index.to_string()),
            (SPEC, serde_json::to_string(&self.spec)?),
            (IMAGE, self.image_id.clone()),
            (SECRETS, self.secrets.clone()),
        ];
        Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    pub(super) fn of(labels: &HashMap<String, String>) -> Option<Self> {
        let spec: FunctionDeployment = serde_json::from_str(labels.get(SPEC)?).ok()?;
        Some(Self {
            // The deployment's own namespace, because containers of the first releases have no label for it.
            function: FunctionId::new(labels.get(FUNCTION)?.as_str(), spec.namespace.as_str()),
            generation: labels.get(GENERATION)?.parse().ok()?,
            index: labels.get(INDEX)?.parse().ok()?,
            spec,
            image_id: labels.get(IMAGE)?.clone(),
            secrets: labels.get(SECRETS)?.clone(),
        })
    }
}

/// A container of this installation as the engine lists it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) role: Role,
    /// Running, or about to be again by the engine's own doing.
    pub(crate) running: bool,
    /// Where its port is, while it runs.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) record: Record,
}

impl Found {
    /// `None` for a container whose labels are not understood; it is left alone.
    pub(super) fn of(summary: ContainerSummary, reach: Reach, network: &str) -> Option<Self> {
        let record = Record::of(summary.labels.as_ref()?)?;
        let name = summary.names.as_ref()?.first()?.trim_start_matches('/').to_owned();
        let running = matches!(
            summary.state,
            Some(
                ContainerSummaryStateEnum::RUNNING
                    | ContainerSummaryStateEnum::RESTARTING
                    | ContainerSummaryStateEnum::PAUSED
            )
        );
        let address = match reach {
            Reach::ContainerIp => bridge_address(&summary, network),
            Reach::PublishedPort => published_address(&summary),
        };
        Some(Self { id: summary.id?, role: Role::of(&name), running, address: address.filter(|_| running), record })
    }
}

pub(super) fn bridge_address(summary: &ContainerSummary, network: &str) -> Option<SocketAddr> {
    let networks = summary.network_settings.as_ref()?.networks.as_ref()?;
    let ip: IpAddr = networks.get(network)?.ip_address.as_ref()?.parse().ok()?;
    Some(SocketAddr::new(ip, FUNCTION_PORT))
}

fn published_address(summary: &ContainerSummary) -> Option<SocketAddr> {
    let port = summary.ports.as_ref()?.iter().find(|port| port.private_port == FUNCTION_PORT)?.public_port?;
    Some(SocketAddr::from(([127, 0, 0, 1], port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let spec = FunctionDeployment {
            service: "alice-new".into(),
            image: "i".into(),
            namespace: "fn".into(),
            ..FunctionDeployment::default()
        };
        Record {
            function: FunctionId::new("alice-new", "fn"),
            generation: 7,
            index: 0,
            spec,
            image_id: "sha256:1".into(),
            secrets: String::new(),
        }
    }

    #[test]
    fn a_name_says_the_role_whatever_the_function_is_called() {
        for role in [Role::Candidate, Role::Live, Role::Parked, Role::Leaving] {
            let name = record().name("0123abcd", role);
            assert!(name.starts_with("of-0123abcd-alice-new.fn-7-0"));
            assert_eq!(Role::of(&name), role, "{name}");
        }
    }

    #[test]
    fn labels_give_the_record_back() {
        let read = Record::of(&record().labels("0123abcd").unwrap()).unwrap();
        assert_eq!((read.function, read.generation, read.spec), (record().function, 7, record().spec));
        assert!(Record::of(&HashMap::new()).is_none());
    }
}
