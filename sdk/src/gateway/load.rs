//! How busy a gateway is: an addition of this project's own.

use serde::{Deserialize, Serialize};

/// Answer of `GET /system/load`: numbers of this moment. What cannot be had is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = GatewayLoad))]
pub struct Load {
    /// Asynchronous calls that wait, due or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
    /// Asynchronous calls that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<u64>,
    /// Asynchronous calls that were given up and are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<u64>,
    /// The functions that most calls wait for, at most 10 of them, the busiest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub busiest: Vec<Busy>,
    /// The disk that the gateway keeps its data on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<Disk>,
}

/// A function that calls wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = BusyFunction))]
pub struct Busy {
    /// The function, as `name.namespace`.
    pub function: String,
    /// How many wait.
    pub waiting: u64,
}

/// A disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DiskSpace))]
pub struct Disk {
    /// What may still be written.
    pub free: u64,
    /// All there is.
    pub total: u64,
}
