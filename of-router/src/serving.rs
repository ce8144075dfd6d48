//! How clients are served: workers, connections, limits, the access log and the metrics.

mod address;
pub(crate) mod connection;
mod dispatch;
pub(crate) mod door;
pub(crate) mod lane;
pub(crate) mod listen;
pub(crate) mod owners;
pub(crate) mod record;
mod settings;
pub(crate) mod strict;
mod sweep;
pub(crate) mod taking;
mod watched;
mod worker;

pub(crate) use dispatch::{Common, run};
pub use settings::{AccessLog, Serving};
