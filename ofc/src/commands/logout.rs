//! `ofc logout`.

use clap::Args;

use crate::account;
use crate::locate::Which;
use crate::terminal::print;

/// Revoke the API token of `ofc login` and forget it
#[derive(Debug, Args)]
pub struct Logout {
    /// The platform's address [default: the one that runs here, else the only one that you are signed in at]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    which: Which,
}

impl Logout {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (service, mut kept, credential) = account::signed_in(self.url.as_deref(), &self.which)?;
        // Forgotten only once it counts no more: else nobody could revoke it by this command any more.
        let counted = super::block_on(service.revoke(&credential))?;
        kept.forget(&service.origin())?;
        let note = if counted { "" } else { " (the token did not count any more)" };
        Ok(print(&format!("You are signed out at {}{note}\n", service.origin()))?)
    }
}
