#![doc = include_str!("../README.md")]

pub mod access;
pub mod audit;
pub mod call;
pub mod context;
pub mod customers;
pub mod deploy;
pub mod event;
pub mod failure;
#[cfg(feature = "fake-gateway")]
pub mod fake_gateway;
pub mod function_log;
pub mod garbage;
pub mod gateway;
pub mod history;
pub mod http;
pub mod id;
pub mod identity;
pub mod labels;
pub mod listing;
pub mod metrics;
pub mod pipeline_log;
pub mod push;
pub mod reserved;
pub mod sealing;
pub mod secrets;
pub mod shutdown;
pub mod signing;
pub mod stack;
pub mod status;
pub mod template;
pub mod webhook;

pub use openfaas_runtime::{ConfigError, Env, Invalid, Reader, parse_duration};
