//! `ofc login-link`.

use clap::Args;
use sdk::Env;
use secrecy::ExposeSecret;

use crate::locate::Which;
use crate::terminal::{WARNING, print};
use crate::{banner, login_link};

const EXAMPLES: &str = "\
Examples:
  ofc login-link                 For you
  ofc login-link alice           For alice, who need not have pushed yet";

/// Print a link that signs an owner in, once and within 15 minutes
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LoginLink {
    /// Whom it signs in [default: you]
    owner: Option<String>,
    #[command(flatten)]
    which: Which,
}

impl LoginLink {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let owner = match &self.owner {
            Some(text) => super::tenant(text, "ofc login-link alice")?,
            None => banner::example_owner(Env::from_process().var("USER")),
        };
        let (data, record) = self.which.running()?;
        let link = login_link::make(&data, &record, &owner)?;
        anstream::eprintln!("{WARNING}warning:{WARNING:#} who opens this link first is signed in as {owner}");
        Ok(print(&format!("{}\n", link.expose_secret()))?)
    }
}
