//! What is counted, and how it is shown to Prometheus: under the names that OpenFaaS' gateway uses.
//!
//! A call changes a few numbers of its function's own and looks nothing up; the names, labels and gauges are put
//! together when somebody asks.

mod containers;
mod exposition;
mod invocations;
mod management;
mod page;
mod queues;
mod series;

pub(crate) use self::containers::{Sample, Sampler};
pub(crate) use self::invocations::{Invocations, Timer};
pub(crate) use self::management::{Management, count};
pub(crate) use self::page::page;
pub(crate) use self::queues::Queues;
pub(crate) use self::series::{BOUNDS, TIMES};

/// What is counted beside the functions' own figures.
#[derive(Default)]
pub(crate) struct Metrics {
    pub(crate) management: Management,
    pub(crate) queues: Queues,
    pub(crate) containers: Sampler,
}
