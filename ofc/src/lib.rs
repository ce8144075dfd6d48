#![doc = include_str!("../README.md")]

mod account;
pub mod banner;
pub mod cli;
pub mod commands;
pub mod data_dir;
pub mod demo;
pub mod doctor;
pub mod embedded;
pub mod engine;
pub mod file_handles;
pub mod git;
mod host;
pub mod instance;
pub mod launch;
pub mod locate;
pub mod logging;
pub mod login_link;
pub mod platform;
mod redelivery;
pub mod removal;
pub mod report;
pub mod secrets;
pub mod terminal;

pub use cli::Cli;
