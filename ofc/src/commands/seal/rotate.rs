//! `ofc seal rotate`.

use clap::Args;
use sealed_secrets::documents;

use super::{SealedFile, short};
use crate::locate;
use crate::seal::file;
use crate::seal::stage::Stage;
use crate::terminal::print;

#[derive(Debug, Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    sealed: SealedFile,
    /// The stage's address [default: the platform that runs here]
    #[arg(long, value_name = "URL")]
    stage: Option<String>,
    #[command(flatten)]
    which: locate::Which,
}

impl Rotate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let path = &self.sealed.file;
        let (text, before) = file::documents(path)?;
        if before.is_empty() {
            return Ok(print("There is no secret in the file.\n")?);
        }
        let stage = Stage::find(self.stage.as_deref(), &self.which)?;
        let fresh = super::super::block_on(stage.rotate(&before))?;
        let text = documents::put_all(&text, &fresh).map_err(|cause| file::not_understood(path, cause))?;
        file::write(path, &text)?;
        let fingerprint = fresh.iter().find_map(|document| document.fingerprint()).unwrap_or_default();
        let names: Vec<&str> = fresh.iter().map(|document| document.name.as_str()).collect();
        Ok(print(&format!(
            "{} is sealed to the newest certificate of {} ({}…): {}\nCommit and push it. No function restarts for it.\n",
            path.display(),
            stage.name,
            short(fingerprint),
            names.join(", ")
        ))?)
    }
}
