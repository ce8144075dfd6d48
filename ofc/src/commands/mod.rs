//! One file per subcommand.

pub mod completions;
pub mod demo;
pub mod doctor;
pub mod down;
pub mod git_credential;
pub mod link;
pub mod logs;
pub mod ls;
pub mod password;
pub mod status;
pub mod token;
pub mod up;

use anyhow::Context;
use sdk::gateway::Gateway;
use secrecy::ExposeSecret;

use crate::data_dir::DataDir;
use crate::instance::Record;
use crate::secrets::{self, Secrets};

/// Runs the work of a command that only asks something.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(work)
}

/// The gateway of a running platform.
pub(crate) fn gateway(data: &DataDir, record: &Record) -> anyhow::Result<Gateway> {
    let secrets = Secrets::existing(data.secrets());
    let user = secrets.get(secrets::GATEWAY_USER)?;
    let password = secrets.get(secrets::GATEWAY_PASSWORD)?;
    Ok(Gateway::new(record.gateway_url().parse()?, user.expose_secret(), password))
}
