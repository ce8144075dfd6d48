#![doc = include_str!("../README.md")]

mod answer;
mod client_body;
mod clock;
mod date;
pub mod express;
mod forward;
mod headers;
mod inbound;
mod lines;
mod pool;
mod serve;
mod tunnel;
mod wire;

pub use answer::{Answer, AnswerError};
pub use client_body::ClientBody;
pub use forward::{ForwardError, Limits, forward};
pub use headers::{is_upgrade, strip_hop_by_hop};
pub use inbound::{Inbound, InboundError};
pub use pool::Upstream;
pub use serve::{Bounds, Served, serve, serve_express};
