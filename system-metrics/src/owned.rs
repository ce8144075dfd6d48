//! Whose functions: what labels at the gateway do not prove to be the owner's is not.

use std::collections::BTreeSet;

use sdk::failure::Failure;
use sdk::gateway::{DEFAULT_NAMESPACE, FunctionStatus, Gateway, GatewayError};
use sdk::id::{OwnerId, ServiceName};
use sdk::labels;
use sdk::metrics::{Figures, MAX_FUNCTIONS, MetricsRequest};

/// A function of the owner who is asked about.
#[derive(Debug)]
pub(crate) struct Owned {
    pub(crate) name: ServiceName,
    namespace: String,
    replicas: u64,
}

impl Owned {
    /// Its label's value in Prometheus.
    pub(crate) fn full_name(&self) -> String {
        format!("{}.{}", self.name, self.namespace)
    }

    /// Of a function that was not called.
    pub(crate) fn no_figures(&self) -> Figures {
        Figures { replicas: Some(self.replicas as f64), ..Figures::default() }
    }
}

/// The functions that the question is about and that are the owner's, by name.
pub(crate) async fn owned(gateway: &Gateway, request: &MetricsRequest) -> Result<Vec<Owned>, Failure> {
    let all = all(gateway, &request.functions)
        .await
        .map_err(|error| Failure::upstream("the gateway does not say which functions there are").because(error))?;
    let asked: BTreeSet<_> = request.functions.iter().map(ServiceName::as_str).collect();
    let is_asked = |function: &FunctionStatus| asked.is_empty() || asked.contains(function.name.as_str());
    let wanted = all.into_iter().filter(|function| is_asked(function) && belongs(function, &request.owner_id));
    let mut owned: Vec<_> = wanted.filter_map(known).collect();
    owned.sort_by(|a, b| a.name.cmp(&b.name));
    owned.truncate(MAX_FUNCTIONS);
    Ok(owned)
}

async fn all(gateway: &Gateway, asked: &[ServiceName]) -> Result<Vec<FunctionStatus>, GatewayError> {
    match asked {
        [only] => Ok(gateway.get(only.as_str()).await?.into_iter().collect()),
        _ => gateway.list().await,
    }
}

fn belongs(function: &FunctionStatus, owner: &OwnerId) -> bool {
    let says = |label: &str, value: &str| function.labels.get(label).is_some_and(|found| found == value);
    owner.id != 0
        && says(labels::GIT_OWNER_ID, &owner.id.to_string())
        && says(labels::GIT_SCM, &labels::value(&owner.host))
        && says(labels::GIT_CLOUD, "1")
}

/// The pipeline deploys under names of this form only.
fn known(function: FunctionStatus) -> Option<Owned> {
    let namespace = Some(function.namespace).filter(|namespace| !namespace.is_empty());
    Some(Owned {
        name: function.name.parse().ok()?,
        namespace: namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
        replicas: function.replicas,
    })
}
