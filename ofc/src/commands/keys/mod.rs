//! `ofc keys`.

mod list;
mod report;
mod rotate;

use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  ofc keys ls                                     The keys that open this stage's sealed secrets
  ofc keys rotate                                 Make a new one now; secrets are sealed to it from then on
  ofc keys report                                 Which secrets are still sealed to an old one
  ofc keys report --stage https://system.example.com";

/// The keys that open sealed secrets
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the keys
    Ls(list::List),
    /// Make a new key; all others go on opening what was sealed to them
    Rotate(rotate::Rotate),
    /// Show to which key each imported secret is sealed
    Report(report::ShowReport),
}

impl Keys {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Ls(list) => list.run(),
            Command::Rotate(rotate) => rotate.run(),
            Command::Report(report) => report.run(),
        }
    }
}

/// The beginning of a fingerprint, by which people compare.
fn short(fingerprint: &str) -> String {
    fingerprint.chars().filter(char::is_ascii_hexdigit).take(12).collect()
}
