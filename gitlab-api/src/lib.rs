#![doc = include_str!("../README.md")]

mod api;
mod call;
mod error;
#[cfg(feature = "fake-gitlab")]
pub mod fake;
mod instance;
mod pause;

pub use api::{Api, Patience};
pub use call::Call;
pub use error::GitlabError;
pub use instance::Instance;
