//! What an installation is started from, beyond its configuration: equal configurations and secrets give equal bytes.

mod kubernetes;
mod stack;
mod systemd;

use std::path::Path;

use super::report::Report;
use crate::config_file::{AppRecord, ConfigFile, Target};
use crate::data_dir::private_dir;
use crate::report::Trouble;
use crate::secrets::Secrets;

/// Says at the top of each file who made it.
const MADE: &str = "# Made by `ofc init` from ofc.yml; it makes this file again when that changes.";

/// Everything that outputs are made from.
pub(crate) struct Given<'a> {
    pub(crate) config: &'a ConfigFile,
    /// The configuration's own path.
    pub(crate) path: &'a Path,
    pub(crate) secrets: &'a Secrets,
    pub(crate) app: Option<&'a AppRecord>,
    /// The tenant list, for a cluster.
    pub(crate) tenants: Option<String>,
    /// Where to.
    pub(crate) folder: &'a Path,
}

/// Writes what the target needs, and says what to do with it.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write(given: &Given<'_>, report: &mut Report) -> anyhow::Result<String> {
    let config = given.config;
    match config.target {
        Target::Up => Ok(format!("Start it: ofc up --config {}\n", given.path.display())),
        Target::Systemd => {
            folder(given.folder, false)?;
            systemd::write(given, report)
        }
        Target::Kubernetes => {
            folder(given.folder, true)?;
            kubernetes::write(given, report)
        }
    }
}

fn folder(path: &Path, private: bool) -> anyhow::Result<()> {
    let made = if private { private_dir(path) } else { std::fs::create_dir_all(path) };
    made.map_err(|cause| {
        Trouble::new(format!("the folder {} cannot be made", path.display()))
            .hint("choose another with --output DIR")
            .because(cause)
            .into()
    })
}
