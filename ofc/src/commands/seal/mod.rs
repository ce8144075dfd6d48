//! `ofc seal`.

mod fresh;
mod inspect;
mod rotate;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  ofc seal --name db --prompt password       Asks for the value, and puts it into secrets.yml
  ofc seal --name db --from-file tls.key     For the platform that runs here
  pass db | ofc seal --name db --stdin password --cert https://system.example.com
                                             For another stage; its certificate may be a file, too
  ofc seal --name db --merge --prompt user   Changes one key and keeps the others
  ofc seal inspect                           What is in secrets.yml, without any key
  ofc seal verify --stage https://system.example.com
                                             Whether the stage opens all of it
  ofc seal rotate                            Seals all of it to the stage's newest certificate

secrets.yml can be committed: only the stage that it is sealed for can open it. stack.yml names a secret without
its owner (`secrets: [db]`), and functions read each key from the file /var/openfaas/secrets/KEY.";

/// Seal secrets for one stage, so that they can be committed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Seal {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    fresh: fresh::Fresh,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what is in a file of sealed secrets, without any key
    Inspect(inspect::Inspect),
    /// Ask a stage whether it opens a file's secrets; exit code 1 if not all of them
    Verify(verify::Verify),
    /// Have a file's secrets sealed to the stage's newest certificate
    Rotate(rotate::Rotate),
}

/// The file that a command is about.
#[derive(Debug, Args)]
struct SealedFile {
    /// The file of sealed secrets
    #[arg(value_name = "FILE", default_value = crate::seal::USUAL_FILE)]
    file: PathBuf,
}

impl Seal {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.command {
            None => self.fresh.run(),
            Some(Command::Inspect(inspect)) => inspect.run(),
            Some(Command::Verify(verify)) => verify.run(),
            Some(Command::Rotate(rotate)) => rotate.run(),
        }
    }
}

/// Nothing that a file or a stage says does anything to the terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(400).collect()
}

/// The beginning of a fingerprint, by which people compare.
fn short(fingerprint: &str) -> String {
    plain(fingerprint).chars().take(12).collect()
}
