//! `ofc demo`.

use clap::Args;

use crate::demo;
use crate::locate::Which;

const EXAMPLES: &str = "\
Examples:
  ofc demo
  ofc demo --keep                Leave it running, to look around
  ofc demo --clean               Remove the built images too; the next demo builds them again";

/// Push a sample, call its functions, change one line, push again: the whole platform in one go.
///
/// Uses the platform of --data, or of `.ofc` here or above, if that runs; else it starts one of its own in a
/// temporary directory. Afterwards everything it made is removed, but for the built images: they make the next
/// demo quick.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Demo {
    /// Leave the platform running and the functions deployed
    #[arg(long)]
    keep: bool,
    /// Remove the built images too
    #[arg(long, conflicts_with = "keep")]
    clean: bool,
    #[command(flatten)]
    which: Which,
}

impl Demo {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let options = demo::Options { which: self.which, keep: self.keep, clean: self.clean };
        super::block_on(demo::run(options))
    }
}
