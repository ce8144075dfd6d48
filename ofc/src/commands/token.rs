//! `ofc token`.

use clap::Args;
use secrecy::ExposeSecret;

use crate::locate::Which;
use crate::secrets::{GIT_TOKEN_KEY, Secrets};
use crate::terminal::{WARNING, print};

const EXAMPLES: &str = "\
On this machine `ofc link` needs no token. Elsewhere, git asks for a user name (the owner) and a
password (the token):
  ofc token alice";

/// Print the token with which an owner pushes from another machine
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Token {
    /// The owner
    owner: String,
    #[command(flatten)]
    which: Which,
}

impl Token {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let owner = super::tenant(&self.owner, "ofc token alice")?;
        let key = Secrets::existing(self.which.data()?.secrets()).get(GIT_TOKEN_KEY)?;
        anstream::eprintln!(
            "{WARNING}warning:{WARNING:#} whoever has this token deploys as {owner}; it is valid until the file secrets/{GIT_TOKEN_KEY} changes"
        );
        Ok(print(&format!("{}\n", of_git::token(&key, &owner).expose_secret()))?)
    }
}
