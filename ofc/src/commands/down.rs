//! `ofc down`.

use clap::Args;

use crate::locate::Which;
use crate::report::Trouble;
use crate::terminal::{Step, confirm, print};
use crate::{launch, removal};

const EXAMPLES: &str = "\
Examples:
  ofc down                       Stop; functions stay and are back at the next `ofc up`
  ofc down --rm                  Remove the functions' containers, network and images too
  ofc down --purge --yes         And the data directory: repositories, secrets, logs";

/// Stop a platform
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Down {
    /// Remove the functions' containers, network and images too
    #[arg(long)]
    rm: bool,
    /// Remove the data directory too: repositories, secrets, logs
    #[arg(long)]
    purge: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    which: Which,
}

impl Down {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let data = self.which.data()?;
        let shown = data.root().display();
        // The directory is removed whole: nothing that is not a platform's may go by a slip of --data.
        if self.purge && !data.exists() {
            return Err(Trouble::new(format!("{shown} is no platform's data directory")).hint("see --data").into());
        }
        if self.purge && !self.yes && !confirm(&format!("Remove {shown} with every repository and secret in it?"))? {
            return Err(Trouble::usage("nothing was removed").hint("--yes answers the question").into());
        }
        super::block_on(async {
            let step = Step::begin("Stopping the platform");
            if launch::stop(&data).await? {
                step.done();
            } else {
                drop(step);
                print("No platform runs.\n")?;
            }
            if self.rm || self.purge {
                let step = Step::begin("Removing containers, network and images");
                removal::remove(&data).await?;
                step.done();
            }
            if self.purge {
                removal::remove_data(&data)?;
                print(&format!("Removed {shown}\n"))?;
            }
            Ok(())
        })
    }
}
