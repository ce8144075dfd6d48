//! Whose functions: what labels at the gateway do not prove to be the owner's is not.

use std::collections::BTreeSet;

use sdk::failure::Failure;
use sdk::gateway::{DEFAULT_NAMESPACE, FunctionStatus, Gateway, GatewayError, or_default};
use sdk::id::{OwnerId, ServiceName};
use sdk::labels;
use sdk::metrics::{Figures, MAX_FUNCTIONS, MetricsRequest};
use serde::Deserialize;

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

/// What is read of a function at the gateway: of a long list, no more.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(PartialEq))]
struct Listed {
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    namespace: String,
    #[serde(default, deserialize_with = "or_default")]
    replicas: u64,
    #[serde(default, deserialize_with = "or_default")]
    labels: Labels,
}

/// The labels that say whose it is: [`labels::GIT_OWNER_ID`], [`labels::GIT_SCM`] and [`labels::GIT_CLOUD`].
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(PartialEq))]
struct Labels {
    #[serde(rename = "com.openfaas.cloud.git-owner-id")]
    owner_id: Option<String>,
    #[serde(rename = "com.openfaas.cloud.git-scm")]
    host: Option<String>,
    #[serde(rename = "com.openfaas.cloud.git-cloud")]
    cloud: Option<String>,
}

impl From<FunctionStatus> for Listed {
    fn from(function: FunctionStatus) -> Self {
        let label = |name: &str| function.labels.get(name).cloned();
        let (owner_id, host) = (label(labels::GIT_OWNER_ID), label(labels::GIT_SCM));
        let labels = Labels { owner_id, host, cloud: label(labels::GIT_CLOUD) };
        Self { name: function.name, namespace: function.namespace, replicas: function.replicas, labels }
    }
}

/// The functions that the question is about and that are the owner's, by name.
pub(crate) async fn owned(gateway: &Gateway, request: &MetricsRequest) -> Result<Vec<Owned>, Failure> {
    let all = all(gateway, &request.functions)
        .await
        .map_err(|error| Failure::upstream("the gateway does not say which functions there are").because(error))?;
    let asked: BTreeSet<_> = request.functions.iter().map(ServiceName::as_str).collect();
    let is_asked = |function: &Listed| asked.is_empty() || asked.contains(function.name.as_str());
    let wanted = all.into_iter().filter(|function| is_asked(function) && belongs(function, &request.owner_id));
    let mut owned: Vec<_> = wanted.filter_map(known).collect();
    owned.sort_by(|a, b| a.name.cmp(&b.name));
    owned.truncate(MAX_FUNCTIONS);
    Ok(owned)
}

async fn all(gateway: &Gateway, asked: &[ServiceName]) -> Result<Vec<Listed>, GatewayError> {
    match asked {
        [only] => Ok(gateway.get(only.as_str()).await?.into_iter().map(Listed::from).collect()),
        _ => gateway.list_as().await,
    }
}

fn belongs(function: &Listed, owner: &OwnerId) -> bool {
    let Labels { owner_id, host, cloud } = &function.labels;
    owner.id != 0
        && owner_id.as_ref().is_some_and(|found| *found == owner.id.to_string())
        && host.as_ref().is_some_and(|found| *found == labels::value(&owner.host))
        && cloud.as_ref().is_some_and(|found| found == "1")
}

/// The pipeline deploys under names of this form only.
fn known(function: Listed) -> Option<Owned> {
    let namespace = Some(function.namespace).filter(|namespace| !namespace.is_empty());
    Some(Owned {
        name: function.name.parse().ok()?,
        namespace: namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
        replicas: function.replicas,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_of_a_list_is_what_the_whole_function_says() {
        let labels = [(labels::GIT_OWNER_ID, "7"), (labels::GIT_SCM, "git.localhost"), (labels::GIT_CLOUD, "1")];
        let function = FunctionStatus {
            name: "alice-cart".to_owned(),
            namespace: "openfaas-fn".to_owned(),
            replicas: 2,
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            secrets: vec!["alice-db".to_owned()],
            ..FunctionStatus::default()
        };
        let listed: Listed = serde_json::from_str(&serde_json::to_string(&function).unwrap()).unwrap();
        assert!(belongs(&listed, &OwnerId { host: "git.localhost".to_owned(), id: 7 }));
        assert_eq!(listed, Listed::from(function));
        // As other gateways write what is not there.
        let bare: Listed = serde_json::from_str(r#"{"name": "x", "labels": null, "namespace": null}"#).unwrap();
        assert!(!belongs(&bare, &OwnerId { host: "git.localhost".to_owned(), id: 7 }));
    }
}
