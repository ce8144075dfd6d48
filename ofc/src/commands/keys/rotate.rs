//! `ofc keys rotate`.

use chrono::Utc;
use clap::Args;

use super::short;
use crate::locate::Which;
use crate::report::Trouble;
use crate::sealing::SealingKeys;
use crate::terminal::{Step, print};

/// Make a new key; all others go on opening what was sealed to them
#[derive(Debug, Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    which: Which,
}

impl Rotate {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let data = self.which.data()?;
        if !data.exists() {
            return Err(Trouble::new(format!("no platform has run in {}", data.root().display()))
                .hint("`ofc up` makes the first key")
                .into());
        }
        let keys = SealingKeys::of(&data);
        // A ring that cannot be read would hide the new key, too.
        keys.load()?;
        let step = Step::begin("Making a sealing key");
        let certificate = keys.make(Utc::now())?;
        drop(step);
        let name = short(certificate.fingerprint());
        Ok(print(&format!(
            "Secrets are sealed to {name} from now on. `ofc keys report` shows those that are sealed to an older key.\n"
        ))?)
    }
}
