//! Questions to `system-metrics`: how functions do, over a window and as a series.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{OwnerId, ServiceName};

/// The function that answers.
pub const METRICS_FUNCTION: &str = "system-metrics";
/// At most so many functions in one question.
pub const MAX_FUNCTIONS: usize = 1000;
/// At most so many names in one question to the gateway's `/system/history`.
pub const MAX_HISTORY_NAMES: usize = 100;
/// At most so many points in one series.
pub const MAX_POINTS: usize = 240;

/// How far back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Window {
    /// An hour.
    #[default]
    #[serde(rename = "1h")]
    Hour,
    /// A day.
    #[serde(rename = "24h")]
    Day,
    /// A week.
    #[serde(rename = "7d")]
    Week,
}

impl Window {
    /// Its length in seconds.
    pub fn seconds(self) -> u64 {
        match self {
            Self::Hour => 3600,
            Self::Day => 24 * 3600,
            Self::Week => 7 * 24 * 3600,
        }
    }

    /// As it is written: `1h`, `24h` or `7d`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }
}

/// Asks about functions of one owner; the answer is [`MetricsAnswer`]. Functions whose labels do not say that they are that
/// owner's are left out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricsRequest {
    /// Whose.
    pub owner_id: OwnerId,
    /// The functions' deployed names; all of the owner's where empty.
    #[serde(default)]
    pub functions: Vec<ServiceName>,
    /// How far back.
    #[serde(default)]
    pub window: Window,
    /// With so many points over the window; none where 0.
    #[serde(default)]
    pub points: usize,
}

/// Where figures are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A Prometheus.
    Prometheus,
    /// The gateway's own history, which is at most a day long and begins with the gateway's start.
    Gateway,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricsAnswer {
    /// Where the figures are from.
    pub source: Source,
    /// The beginning of what is known within the window, in seconds since 1970.
    pub since: u64,
    /// Its end.
    pub until: u64,
    /// By deployed name. One that was not called in the window is there, with zeros.
    pub functions: BTreeMap<String, Figures>,
}

/// How one function did in a window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Figures {
    /// Calls that were answered, by status code.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, f64>))]
    pub codes: BTreeMap<u16, f64>,
    /// Latencies, where there were calls.
    #[serde(default)]
    pub latency: Option<Latency>,
    /// Replicas, the last that is known.
    #[serde(default)]
    pub replicas: Option<f64>,
    /// Over time, the oldest first.
    #[serde(default)]
    pub series: Vec<Point>,
}

/// Latencies in seconds, below which so many of a hundred calls stayed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Latency {
    /// 50.
    pub p50: f64,
    /// 95.
    pub p95: f64,
    /// 99.
    pub p99: f64,
}

/// One point of a series: what happened between the point before it and this one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Point {
    /// When, in seconds since 1970.
    pub at: u64,
    /// Calls answered with 200 to 399.
    pub success: f64,
    /// All others.
    pub failure: f64,
    /// Latencies, where there were calls.
    #[serde(default)]
    pub latency: Option<Latency>,
    /// Replicas.
    #[serde(default)]
    pub replicas: Option<f64>,
    /// Memory of all replicas together, in bytes.
    #[serde(default)]
    pub memory: Option<f64>,
    /// Processors in use by all replicas together.
    #[serde(default)]
    pub cpu: Option<f64>,
}

impl Figures {
    /// Calls that were answered with 200 to 399.
    pub fn success(&self) -> f64 {
        self.sum(|code| (200..400).contains(&code))
    }

    /// All other calls.
    pub fn failure(&self) -> f64 {
        self.sum(|code| !(200..400).contains(&code))
    }

    fn sum(&self, is_wanted: impl Fn(u16) -> bool) -> f64 {
        self.codes.iter().filter(|(code, _)| is_wanted(**code)).map(|(_, count)| count).sum()
    }
}
