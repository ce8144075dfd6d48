//! The whole function: what a gateway's functions write is kept, and answered to whom it belongs.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helpers")]

mod gateway;
mod keeping;
mod questions;
mod site;
mod weaknesses;
