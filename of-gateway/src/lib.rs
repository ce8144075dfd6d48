#![doc = include_str!("../README.md")]

mod access;
mod answer;
mod app;
mod auth;
mod call_id;
mod complaints;
pub mod config;
mod cron;
mod engine;
mod enqueue;
mod front;
mod functions;
mod history;
mod inside;
mod instance;
mod invoke;
mod locks;
mod metrics;
mod namespaces;
mod openapi;
mod port;
mod problem;
mod purge;
mod queueing;
mod quota;
mod reply;
mod rollout;
mod routes;
mod scaling;
mod secrets;
mod serve;
mod start;
mod system;
mod transit;
mod worker;

pub use auth::Credentials;
pub use config::{
    BlockedNetwork, Config, DefaultLimits, Graces, Inside, Isolation, IsolationMode, PlatformFunction, PullPolicy,
    Reach, RegistryCredentials, Retry, Scaling,
};
pub use engine::EngineError;
pub use instance::InstanceError;
pub use port::{Left, Port};
pub use purge::{PurgeError, Removed, purge};
pub use queue::{Credentials as NatsCredentials, DeadLetter, Nats, QueueError};
pub use queueing::Queueing;
pub use quota::Quota;
pub use serve::{Stop, serve};
pub use start::{Gateway, StartError};
pub use worker::CallbackHosts;
