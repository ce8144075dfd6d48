//! The runtime on real sockets and as a real process.

mod clients;
mod metrics;
mod process;
mod protocols;
mod stop;
mod support;
