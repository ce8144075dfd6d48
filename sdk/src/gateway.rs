//! The OpenFaaS gateway: its wire types and a client for them.

mod client;
mod load;
mod object;
mod types;

pub use client::{Gateway, GatewayError, LogQuery};
pub use load::{Busy, Disk, Load};
pub use object::{Object, or_default};
pub use types::{
    Condition, ConditionKind, DEFAULT_NAMESPACE, DeleteRequest, FunctionDeployment, FunctionStatus, Info, LogLine,
    NamedSecret, Namespace, Provider, Resources, ScaleRequest, Secret, Usage, Version,
};
