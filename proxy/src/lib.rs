#![doc = include_str!("../README.md")]

mod answer;
mod forward;
mod headers;
mod inbound;
mod pool;
mod tunnel;
mod wire;

pub use answer::{Answer, AnswerError};
pub use forward::{ForwardError, Limits, Unanswered, forward, try_forward};
pub use headers::{is_upgrade, strip_hop_by_hop};
pub use inbound::{Inbound, InboundError};
pub use pool::Upstream;
