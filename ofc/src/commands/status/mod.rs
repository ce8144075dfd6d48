//! `ofc status`: of the platform, or of a commit.

mod commit;
mod platform;

use clap::Args;

use crate::host::AsSomebody;
use crate::locate::Which;

pub(super) use commit::{lines, render, verdict};

const EXAMPLES: &str = "\
Examples:
  ofc status                       Does the platform run, and where?
  ofc status alice/hello           How did the deployment of the newest commit go?
  ofc status alice/hello 1a2b3c4   And of this one? (a commit, a branch or a tag)

Exit codes: 0 it runs, or the commit is deployed; 1 it does not, or it failed; 3 the deployment is not at its end.";

/// Say whether the platform runs, and where; or what the host of a repository was told about a commit
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Status {
    /// Whose repository it is, and its name
    #[arg(value_name = "OWNER/REPOSITORY")]
    repository: Option<String>,
    /// A commit, a branch or a tag [default: the default branch's newest commit]
    #[arg(value_name = "COMMIT", requires = "repository")]
    commit: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    github: AsSomebody,
    #[command(flatten)]
    which: Which,
}

impl Status {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Some(repository) = &self.repository else { return platform::run(&self.which, self.json) };
        let path = super::repository(repository)?;
        let commit = super::block_on(async {
            let repository = self.github.repository(&self.which, &path).await?;
            let (sha, subject) = repository.commit(self.commit.as_deref()).await?;
            repository.told(&sha, subject).await
        })?;
        commit::show(&commit, self.json)
    }
}
