#![doc = include_str!("../README.md")]

mod account;
mod backup;
pub mod banner;
pub mod cli;
pub mod commands;
mod config_file;
pub mod data_dir;
pub mod demo;
pub mod doctor;
pub mod embedded;
pub mod engine;
pub mod file_handles;
pub mod git;
mod host;
mod init;
mod inside;
pub mod instance;
pub mod launch;
pub mod locate;
pub mod logging;
pub mod login_link;
pub mod platform;
mod redelivery;
pub mod removal;
pub mod report;
mod seal;
mod sealing;
pub mod secrets;
pub mod terminal;

pub use cli::Cli;
