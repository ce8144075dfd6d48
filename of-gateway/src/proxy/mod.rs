//! Passing a request on to a function's container and its answer back, both streaming.

mod body;
mod forward;
mod headers;
mod pool;
mod probe;

pub(crate) use self::body::cap;
pub(crate) use self::forward::{ForwardError, forward};
pub(crate) use self::headers::{is_upgrade, strip_hop_by_hop};
pub(crate) use self::pool::Upstream;
pub(crate) use self::probe::ask_status;

#[cfg(test)]
mod tests;
