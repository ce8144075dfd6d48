#![doc = include_str!("../README.md")]

mod answer;
mod api;
mod app;
mod call;
mod client;
mod config;
mod deliveries;
mod error;
#[cfg(feature = "fake-github")]
pub mod fake_github;
mod pauses;
mod scope;
mod tokens;

pub use answer::Answer;
pub use api::{Api, Patience};
pub use app::App;
pub use call::Call;
pub use client::Client;
pub use deliveries::{Delivery, DeliveryPage};
pub use error::GithubError;
pub use scope::{Permission, Scope};
