//! What is known of the GitHub App that `ofc init` made. Its secrets are files of their own.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::{Github, read_bounded};
use crate::report::Trouble;

/// The file beside the secrets.
pub(crate) const FILE: &str = "github-app.json";

/// An App, as GitHub described it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AppRecord {
    /// The GitHub that it is of, such as `https://github.com`.
    pub(crate) github: String,
    /// Its number.
    pub(crate) id: u64,
    /// What it is called in addresses.
    pub(crate) slug: String,
    /// By which people sign in.
    pub(crate) client_id: String,
    /// Its page.
    pub(crate) html_url: String,
}

impl AppRecord {
    /// The record in a folder, if there is one.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(crate) fn load(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(FILE);
        let shown = path.display();
        let text = match read_bounded(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{shown} cannot be read")),
        };
        let record = serde_json::from_str(&text).map_err(|cause| {
            Trouble::new(format!("{shown} is damaged"))
                .hint("put its number into ofc.yml as source.app.id (it is on the App's page at GitHub), and remove the file")
                .because(cause)
        })?;
        Ok(Some(record))
    }

    /// Refuses an App of another GitHub.
    ///
    /// # Errors
    /// When it is one.
    pub(crate) fn expect_of(&self, github: &Github) -> anyhow::Result<()> {
        if self.github.trim_end_matches('/') == github.url.as_str().trim_end_matches('/') {
            return Ok(());
        }
        let sentence = format!("{FILE} is about an App of {}, and not of {}", self.github, github.url);
        Err(Trouble::new(sentence).hint("use another data directory for another host").into())
    }
}
