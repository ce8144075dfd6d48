//! One file per subcommand.

pub mod backup;
pub mod builds;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod down;
pub mod git_credential;
pub mod init;
pub mod keys;
pub mod link;
pub mod login;
pub mod login_link;
pub mod logout;
pub mod logs;
pub mod ls;
pub mod open;
pub mod org;
pub mod password;
pub mod redeliver;
pub mod redeploy;
pub mod repo;
pub mod restore;
pub mod seal;
pub mod status;
pub mod token;
pub mod top;
pub mod up;
pub mod whoami;

use anyhow::Context;
use sdk::gateway::Gateway;
use sdk::id::{Owner, RepoPath};
use secrecy::ExposeSecret;

use crate::data_dir::DataDir;
use crate::instance::Record;
use crate::report::Trouble;
use crate::secrets;

/// Runs the work of a command that only asks something.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(work)
}

/// The owner that a user names, if it may be one.
pub(crate) fn tenant(text: &str, example: &str) -> anyhow::Result<Owner> {
    let owner: Owner = text.parse().map_err(|cause| {
        Trouble::usage(format!("'{text}' is no owner")).hint(format!("for example: {example}")).because(cause)
    })?;
    if sdk::reserved::is_login(&owner) {
        return Err(Trouble::usage(format!("'{owner}' is a name of the platform")).hint("choose another owner").into());
    }
    Ok(owner)
}

/// The repository that a user names.
pub(crate) fn repository(text: &str) -> anyhow::Result<RepoPath> {
    text.parse().map_err(|cause| {
        Trouble::usage(format!("'{text}' names no repository"))
            .hint("write it as OWNER/REPOSITORY, for example alice/hello")
            .because(cause)
            .into()
    })
}

/// The gateway of a running platform.
pub(crate) fn gateway(data: &DataDir, record: &Record) -> anyhow::Result<Gateway> {
    let secrets = record.secrets(data);
    let user = secrets.get(secrets::GATEWAY_USER)?;
    let password = secrets.get(secrets::GATEWAY_PASSWORD)?;
    Ok(Gateway::new(record.gateway_url().parse()?, user.expose_secret(), password))
}
