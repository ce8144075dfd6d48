//! What git-tar asks of buildshiprun: build this function (or take an image that is there) and deploy it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::PushEvent;
use crate::gateway::Resources;
use crate::id::FunctionName;
use crate::secrets::{Mounted, SecretName};

/// The name of the first entry of the tar that is sent to buildshiprun. All bytes after that entry are a
/// tar of the Function Builder API as it is (`spec/platform.md` A11).
pub const ORDER_ENTRY: &str = "com.openfaas.cloud.deploy.json";

/// One function of a push, with the wishes of its author as stack.yml gives them. buildshiprun adds the
/// platform's rules: names, labels, limits, the secrets' prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployOrder {
    /// The push that this belongs to.
    pub event: PushEvent,
    /// The function's name in stack.yml.
    pub function: FunctionName,
    /// What to deploy.
    pub image: OrderImage,
    /// The first 40 digits of the digest of all that goes into the image.
    pub build_digest: String,
    /// The first 40 digits of the digest of `settings`.
    pub deploy_digest: String,
    /// The deployment's settings.
    pub settings: Settings,
}

/// Where the image of a [`DeployOrder`] comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderImage {
    /// Build it under this name from the context that follows in the tar.
    Build(String),
    /// It is there: an image reference with a digest, as it is deployed now.
    Existing(String),
}

/// What buildshiprun answers about a function that is live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shipped {
    /// The image that is deployed, by its digest.
    pub image: String,
    /// It was built for this order; false where an image of the same files was there.
    pub built: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What buildshiprun answers, with a status other than 200, about a function that is not live. 5xx is worth another
/// try.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotShipped {
    /// Why, in a sentence.
    pub error: String,
    /// The end of the build's or the container's log.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
    /// The line of the Dockerfile that failed, from 1, where the builder knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerfile_line: Option<u32>,
}

/// What stack.yml may say about a function's deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `fprocess`, or the template's.
    pub env_process: Option<String>,
    /// `environment` and `environment_file`.
    pub environment: BTreeMap<String, String>,
    /// Names of secrets, without the owner's prefix.
    pub secrets: Vec<String>,
    /// What import-secrets says of those secrets; a changed version is a changed deployment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mounted: BTreeMap<SecretName, Mounted>,
    /// Labels, not yet filtered.
    pub labels: BTreeMap<String, String>,
    /// Annotations, not yet filtered.
    pub annotations: BTreeMap<String, String>,
    /// Upper bounds, in Kubernetes' notation.
    pub limits: Option<Resources>,
    /// What is set aside, in Kubernetes' notation.
    pub requests: Option<Resources>,
    /// `readonly_root_filesystem`; the platform's default where unset.
    pub read_only_root_filesystem: Option<bool>,
}
