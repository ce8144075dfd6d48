//! `ofc link`.

use clap::Args;

use crate::git;
use crate::locate::Which;
use crate::report::Trouble;
use crate::terminal::{FAINT, STRONG};

const EXAMPLES: &str = "\
Examples:
  ofc link alice/hello && git push ofc main
  ofc link alice/hello --remote deploy";

/// Make `git push` in this repository deploy it: adds a remote and, for this repository alone, a credential
/// helper, so that git never asks for a password and never stores one
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Link {
    /// Whose repository it is, and its name: its functions are served below OWNER.localhost:8000
    #[arg(value_name = "OWNER/REPOSITORY")]
    repository: String,
    /// The remote's name
    #[arg(long, default_value = "ofc")]
    remote: String,
    #[command(flatten)]
    which: Which,
}

impl Link {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let repository = super::repository(&self.repository)?;
        if sdk::reserved::is_login(&repository.owner) {
            return Err(Trouble::usage(format!("'{}' is a name of the platform", repository.owner))
                .hint("choose another owner")
                .into());
        }
        let (data, record) = self.which.running()?;
        record.own_git()?;
        let here = std::env::current_dir()?;
        let url = git::link(&here, &data, &record, &repository, &self.remote)?;
        let top = git::git(&here, &["rev-parse", "--show-toplevel"])?;
        let branch = git::git(&here, &["symbolic-ref", "--short", "HEAD"]).unwrap_or_else(|_| "main".to_owned());
        let remote = &self.remote;
        let mut text = format!("The remote {STRONG}{remote}{STRONG:#} leads to {url}\n");
        let stack = ["stack.yml", "stack.yaml"].iter().any(|name| std::path::Path::new(&top).join(name).exists());
        if !stack {
            text.push_str("There is no stack.yml here yet: it says which functions there are (see samples/hello).\n");
        }
        text.push_str(&format!("\n    git push {remote} {branch}\n\n"));
        text.push_str(&format!("{FAINT}Functions: {}/<function>{FAINT:#}\n", record.url(repository.owner.as_str())));
        Ok(crate::terminal::print(&text)?)
    }
}
