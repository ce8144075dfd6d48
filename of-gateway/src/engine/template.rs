//! How a function's container is made: the same confinement for all.

use std::collections::HashMap;
use std::path::PathBuf;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, PortBinding, RestartPolicy,
    RestartPolicyNameEnum,
};

use super::Record;
use crate::config::Reach;

/// The port of OpenFaaS' container contract.
pub(super) const PORT: &str = "8080/tcp";
const SECRETS_DIR: &str = "/var/openfaas/secrets";
const TMP: &str = "rw,exec,nosuid,nodev,size=64m,mode=1777";

/// A checked deployment, ready to be made into any number of containers.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// `index` is set per container.
    pub(crate) record: Record,
    /// Bytes; `None` of these three is no limit.
    pub(crate) memory: Option<i64>,
    /// Billionths of a processor.
    pub(crate) cpu: Option<i64>,
    pub(crate) pids: Option<i64>,
    /// The secrets: the names that functions see, and files.
    pub(crate) secrets: Vec<(String, PathBuf)>,
}

impl Template {
    pub(super) fn body(
        &self,
        instance: &str,
        network: &str,
        reach: Reach,
        hosts: Vec<String>,
    ) -> Result<ContainerCreateBody, serde_json::Error> {
        let published = reach == Reach::PublishedPort;
        Ok(ContainerCreateBody {
            image: Some(self.record.image_id.clone()),
            env: Some(self.environment()),
            labels: Some(self.record.labels(instance)?),
            exposed_ports: published.then(|| vec![PORT.to_owned()]),
            host_config: Some(HostConfig { extra_hosts: Some(hosts), ..self.host(network, published) }),
            ..ContainerCreateBody::default()
        })
    }

    fn environment(&self) -> Vec<String> {
        let spec = &self.record.spec;
        let own = [("OPENFAAS_NAME", spec.service.as_str()), ("OPENFAAS_NAMESPACE", spec.namespace.as_str())];
        let process = Some(("fprocess", spec.env_process.as_str())).filter(|(_, process)| !process.is_empty());
        let pairs = own.into_iter().chain(process).map(|(name, value)| format!("{name}={value}"));
        pairs.chain(spec.env_vars.iter().map(|(name, value)| format!("{name}={value}"))).collect()
    }

    fn host(&self, network: &str, published: bool) -> HostConfig {
        HostConfig {
            network_mode: Some(network.to_owned()),
            memory: self.memory,
            // No swap: a function over its limit is killed at once instead of slowing down the machine.
            memory_swap: self.memory,
            nano_cpus: self.cpu,
            pids_limit: self.pids,
            // Deployments of before did not write it down, and were read-only.
            readonly_rootfs: Some(self.record.spec.read_only_root_filesystem.unwrap_or(true)),
            tmpfs: Some(HashMap::from([("/tmp".to_owned(), TMP.to_owned())])),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
            // An init process passes signals on and reaps what the function leaves behind.
            init: Some(true),
            // A candidate that ends is a failed rollout; committing it changes this.
            restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(HashMap::from([
                    ("max-size".to_owned(), "10m".to_owned()),
                    ("max-file".to_owned(), "3".to_owned()),
                ])),
            }),
            mounts: Some(self.secrets.iter().map(mount).collect()),
            port_bindings: published.then(loopback_port),
            ..HostConfig::default()
        }
    }
}

fn mount((name, file): &(String, PathBuf)) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(file.display().to_string()),
        target: Some(format!("{SECRETS_DIR}/{name}")),
        read_only: Some(true),
        ..Mount::default()
    }
}

fn loopback_port() -> HashMap<String, Option<Vec<PortBinding>>> {
    let any = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(String::new()) };
    HashMap::from([(PORT.to_owned(), Some(vec![any]))])
}
