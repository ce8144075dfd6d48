//! From an order to the deployment that the gateway gets: the author's wishes within the operator's rules.

mod annotations;
mod labels;
mod resources;
mod scaling;
mod secrets;

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use sdk::customers::Customers;
use sdk::deploy::DeployOrder;
use sdk::failure::Failure;
use sdk::gateway::{FunctionDeployment, FunctionStatus};
use sdk::id::ServiceName;
use sdk::labels::GIT_DEPLOY_TIME;
use sdk::{Invalid, Reader};

const MAX_ENVIRONMENT_BYTES: usize = 256 * 1024;

/// A wish that is not granted. The sentence is for the author of stack.yml.
#[derive(Debug, PartialEq, Eq)]
struct Refused(String);

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::refused(refused.0)
    }
}

/// The operator's rules.
pub(crate) struct Rules {
    resources: resources::Bounds,
    scaling: scaling::Bounds,
    /// `readonly_root_filesystem`: for functions that do not say.
    read_only: bool,
    /// `customers_path`: tells whose a secret is.
    tenants: Customers,
}

impl Rules {
    pub(crate) fn read(r: &Reader<'_>) -> Result<Self, Invalid> {
        let resources = resources::Bounds::read(r);
        let scaling = scaling::Bounds::read(r);
        let read_only = r.flag("readonly_root_filesystem", true);
        let tenants = Customers::read(r);
        Ok(Self { resources: resources?, scaling: scaling?, read_only: read_only?, tenants: tenants? })
    }

    /// The deployment but for its image.
    pub(crate) fn apply(&self, order: &DeployOrder, name: &ServiceName) -> Result<FunctionDeployment, Failure> {
        let settings = &order.settings;
        let (limits, requests) = self.resources.grant(settings.limits.as_ref(), settings.requests.as_ref())?;
        let mut labels = self.scaling.labels(&settings.labels)?;
        labels.extend(labels::of(order, name, now()));
        Ok(FunctionDeployment {
            service: name.to_string(),
            env_process: env_process(settings.env_process.as_deref())?,
            env_vars: environment(&settings.environment)?,
            secrets: secrets::owned(&order.event.owner, settings, &self.tenants)?,
            labels,
            annotations: annotations::of(order)?,
            limits: Some(limits),
            requests: Some(requests),
            read_only_root_filesystem: Some(settings.read_only_root_filesystem.unwrap_or(self.read_only)),
            ..FunctionDeployment::default()
        })
    }
}

/// The same order again is no new version: where nothing else differs, the time of the deployment stays, and the
/// gateway has nothing to do. A `restart` is none either, though its secrets changed: what is late, a removal or an older
/// commit that was asked for, is compared with the time at which the commit was deployed.
pub(crate) fn keep_time_if_same(wanted: &mut FunctionDeployment, deployed: &FunctionStatus, restart: bool) {
    let without_time = |labels: &BTreeMap<String, String>| {
        let mut labels = labels.clone();
        labels.remove(GIT_DEPLOY_TIME);
        labels
    };
    let same = wanted.image == deployed.image && without_time(&wanted.labels) == without_time(&deployed.labels);
    if (same || restart)
        && let Some(time) = deployed.labels.get(GIT_DEPLOY_TIME)
    {
        wanted.labels.insert(GIT_DEPLOY_TIME.to_owned(), time.clone());
    }
}

fn env_process(text: Option<&str>) -> Result<String, Refused> {
    match text.unwrap_or_default() {
        text if text.contains(char::is_control) => Err(Refused("fprocess has control characters in it".to_owned())),
        text => Ok(text.to_owned()),
    }
}

fn environment(variables: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Refused> {
    let bytes: usize = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > MAX_ENVIRONMENT_BYTES {
        return Err(Refused(format!("environment has over {} KiB", MAX_ENVIRONMENT_BYTES / 1024)));
    }
    let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    let named = |name: &str| plain(name) && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    match variables.iter().find(|(name, value)| !named(name) || value.contains('\0')) {
        Some((name, _)) => Err(Refused(format!("environment: {name:?} is not a variable that a process can have"))),
        None => Ok(variables.clone()),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests;
