//! JSON of the gateway's REST API, with the field names of `spec/platform.md` A3 to A6. Unknown fields are
//! passed over, absent ones take their zero value, and zero values are left out when written.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::object::{Object, or_default};

/// Up to here each whole number has a place among the floating-point numbers.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// The namespace of a function that names none.
pub const DEFAULT_NAMESPACE: &str = "openfaas-fn";

/// Body of `PUT` and `POST /system/functions`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FunctionDeployment {
    /// The function's name. Required.
    #[cfg_attr(
        feature = "openapi",
        schema(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length = 63, examples("nodeinfo"))
    )]
    pub service: String,
    /// The image, by tag or digest. Required.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, examples("ghcr.io/openfaas/nodeinfo:latest")))]
    pub image: String,
    /// The namespace; the default where empty.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable, examples("openfaas-fn")))]
    pub namespace: String,
    /// The command that a watchdog starts; the image's own where empty.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable, examples("node main.js")))]
    pub env_process: String,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub env_vars: BTreeMap<String, String>,
    /// Placement constraints; kept and given back, without effect on one machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub constraints: Vec<String>,
    /// Names of secrets to mount.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub secrets: Vec<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub annotations: BTreeMap<String, String>,
    /// Upper bounds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "object")]
    pub limits: Option<Resources>,
    /// What is set aside.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "object")]
    pub requests: Option<Resources>,
    /// Whether the root file system is read-only; the gateway's own setting where unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_root_filesystem: Option<bool>,
}

/// Memory and processors in Kubernetes' notation, for example `128Mi` and `500m`. Empty means unset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = FunctionResources))]
pub struct Resources {
    /// Memory.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(
        feature = "openapi",
        schema(nullable, pattern = r"^([0-9]+(\.[0-9]+)?(b|k|K|Ki|m|M|Mi|g|G|Gi|T|Ti)?)?$", examples("128Mi"))
    )]
    pub memory: String,
    /// Processors.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable, pattern = r"^([0-9]+(\.[0-9]+)?m?)?$", examples("500m")))]
    pub cpu: String,
}

/// An element of `GET /system/functions`, and the answer of `GET /system/function/NAME`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FunctionStatus {
    /// The function's name.
    pub name: String,
    /// The image that is live.
    #[serde(default, deserialize_with = "or_default")]
    pub image: String,
    /// The namespace.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub namespace: String,
    /// As deployed.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub env_process: String,
    /// As deployed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub env_vars: BTreeMap<String, String>,
    /// As deployed.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub constraints: Vec<String>,
    /// As deployed.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub secrets: Vec<String>,
    /// As deployed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    /// As deployed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
    /// As deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Resources>,
    /// As deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Resources>,
    /// As deployed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only_root_filesystem: bool,
    /// Invocations since the gateway started counting.
    #[serde(default, skip_serializing_if = "is_zero_f64")]
    pub invocation_count: f64,
    /// Wanted replicas.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replicas: u64,
    /// Replicas that are ready.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub available_replicas: u64,
    /// When this version was deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// What it uses now; only where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What is wrong with its replicas, or was a short time ago; left out when all is well. Not a part of OpenFaaS' own
    /// API.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub conditions: Vec<Condition>,
}

/// One thing that is wrong with one replica of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What is wrong.
    #[serde(rename = "type")]
    pub kind: ConditionKind,
    /// The replica, named as in a log line.
    pub instance: String,
    /// The reason, in a sentence.
    pub message: String,
    /// How often it ended in the last ten minutes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restarts: u64,
    /// When it ended last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<DateTime<Utc>>,
    /// The exit code it ended with last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// Whether it ended because it was out of memory.
    #[serde(default, skip_serializing_if = "is_false")]
    pub out_of_memory: bool,
    /// The last lines it wrote before that.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub log: Vec<String>,
}

/// What can be wrong with a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ConditionKind {
    /// It ended, and was started again.
    Restarted,
    /// It ends again and again.
    CrashLoop,
    /// It runs, but does not say that it is ready.
    NotReady,
    /// The engine does not start it.
    CannotStart,
    /// A kind that this release does not know.
    #[serde(other)]
    Unknown,
}

/// What a function's replicas use together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = FunctionUsage))]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Processors, in thousandths.
    #[serde(default)]
    pub cpu: f64,
    /// Memory, in bytes.
    #[serde(default)]
    pub total_memory_bytes: f64,
}

/// Body of `DELETE /system/functions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DeleteFunctionRequest))]
#[serde(rename_all = "camelCase")]
pub struct DeleteRequest {
    /// The function's name.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, examples("nodeinfo")))]
    pub function_name: String,
    /// The namespace; the default where empty.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub namespace: String,
}

/// Body of `POST /system/scale-function/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ScaleServiceRequest))]
#[serde(rename_all = "camelCase")]
pub struct ScaleRequest {
    /// The function's name; the path's where empty.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub service_name: String,
    /// Wanted replicas.
    #[serde(deserialize_with = "whole")]
    pub replicas: u64,
    /// The namespace; the default where empty.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub namespace: String,
}

/// Body of `POST`, `PUT` and `DELETE /system/secrets`. Its value is never shown again.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// The secret's name.
    #[cfg_attr(
        feature = "openapi",
        schema(pattern = "^[-_A-Za-z0-9][-_.A-Za-z0-9]*$", max_length = 253, examples("api-key"))
    )]
    pub name: String,
    /// The namespace; the default where empty.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub namespace: String,
    /// The value as text.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable, max_length = 1048576))]
    pub value: String,
    /// The value as base64 of any bytes; wins over `value`.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable, format = Byte))]
    pub raw_value: String,
    /// The name of the file that functions see; the secret's own where empty. Not a part of OpenFaaS' own API: other
    /// gateways pass it over.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(
        feature = "openapi",
        schema(nullable, pattern = r"^(\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*)?$", max_length = 253)
    )]
    pub file_name: String,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// An element of `GET /system/secrets`: never a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = SecretDescription))]
pub struct NamedSecret {
    /// The secret's name.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[-_A-Za-z0-9][-_.A-Za-z0-9]*$", max_length = 253))]
    pub name: String,
    /// The namespace.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub namespace: String,
}

/// Body and answer of `/system/namespace/NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = FunctionNamespace))]
pub struct Namespace {
    /// The namespace's name; the path's where empty.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub name: String,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub annotations: BTreeMap<String, String>,
}

/// A line of `GET /system/logs`, sent as newline-delimited JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = LogEntry))]
pub struct LogLine {
    /// The function's name.
    pub name: String,
    /// The namespace.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub namespace: String,
    /// The replica.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub instance: String,
    /// When it was written.
    pub timestamp: DateTime<Utc>,
    /// The line without its end.
    pub text: String,
}

/// Answer of `GET /system/info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = GatewayInfo))]
pub struct Info {
    /// What runs the functions.
    pub provider: Provider,
    /// The gateway's own version.
    pub version: Version,
    /// The machine's architecture, for example `x86_64`.
    pub arch: String,
}

/// What runs the functions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ProviderInfo))]
pub struct Provider {
    /// Its name.
    pub provider: String,
    /// What it drives.
    pub orchestration: String,
    /// Its version.
    pub version: Version,
}

/// A version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = VersionInfo))]
pub struct Version {
    /// The commit.
    pub sha: String,
    /// The release.
    pub release: String,
    /// The commit's subject.
    #[serde(default)]
    pub commit_message: String,
}

/// A whole number, also where a client writes all its numbers as `2.0`.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let float = || number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=MOST_EXACT).contains(float));
    let whole = number.as_u64().or_else(|| float().map(|float| float as u64));
    whole.ok_or_else(|| D::Error::custom("expected a whole number from 0 on"))
}

/// An object, or `null` for none.
fn object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|object| object.0))
}

fn is_false(value: &bool) -> bool {
    !*value
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

fn is_zero_f64(value: &f64) -> bool {
    *value == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(number: &str) -> Result<u64, String> {
        let json = format!("{{\"serviceName\":\"f\",\"replicas\":{number}}}");
        serde_json::from_str::<ScaleRequest>(&json).map(|asked| asked.replicas).map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_number_may_be_written_as_a_float_and_nothing_else_is_one() {
        assert_eq!((replicas("0"), replicas("2.0"), replicas("1e3")), (Ok(0), Ok(2), Ok(1000)));
        for bad in ["-1", "-1.0", "1.5", "1e300", "9007199254740994.0", "18446744073709551616", "\"2\"", "null"] {
            assert!(replicas(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_null_is_as_good_as_absent() {
        let bare: FunctionDeployment = serde_json::from_str(r#"{"service":"f","image":"i"}"#).unwrap();
        let nulls = r#"{"service":"f","image":"i","namespace":null,"envProcess":null,"envVars":null,"constraints":null,
            "secrets":null,"labels":null,"annotations":null,"limits":null,"requests":null,"readOnlyRootFilesystem":null}"#;
        assert_eq!(serde_json::from_str::<FunctionDeployment>(nulls).unwrap(), bare);
        let needed = serde_json::from_str::<FunctionDeployment>(r#"{"service":null,"image":"i"}"#);
        assert!(needed.is_err(), "a name is no such thing");
    }
}
