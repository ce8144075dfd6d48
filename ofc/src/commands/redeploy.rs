//! `ofc redeploy`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Args;

use crate::host::{AsSomebody, Commit, Repository, Wish};
use crate::locate::Which;
use crate::report::Trouble;
use crate::terminal::{FAINT, STRONG, print};

use super::status;

const EXAMPLES: &str = "\
Examples:
  ofc redeploy alice/hello                   The newest commit of the default branch once more
  ofc redeploy alice/hello 1a2b3c4 --follow  Roll back to an older one, and wait for it
  ofc redeploy alice/hello --rebuild         Build also what has not changed
  ofc redeploy acme/shop --token-file token  At GitHub, with a person's token

What is deployed so stays until the next push or redeployment.
Exit codes with --follow: 0 it is live, 1 it failed, 3 it is not at its end yet.";

/// How long one look waits for the next: the platform's own git host is near, GitHub counts requests.
const LOOK: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(3));
/// How long `--follow` goes on.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Deploy a commit again, or an older one: GitHub's deployments, by which the platform is told of it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Redeploy {
    /// Whose repository it is, and its name
    #[arg(value_name = "OWNER/REPOSITORY")]
    repository: String,
    /// A commit, a branch or a tag [default: the default branch's newest commit]
    #[arg(value_name = "COMMIT")]
    commit: Option<String>,
    /// Build every function anew, also what has not changed
    #[arg(long)]
    rebuild: bool,
    /// Show how it goes, and wait for its end
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    github: AsSomebody,
    #[command(flatten)]
    which: Which,
}

impl Redeploy {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let path = super::repository(&self.repository)?;
        if self.github.is_app() {
            // The platform takes what an App says about deployments as a report, not as a wish.
            return Err(Trouble::usage("deployments are asked for by people, not by the App")
                .hint("give a person's token with the permission to write deployments: --token-file FILE")
                .into());
        }
        let look = if self.github.is_at_github() { LOOK.1 } else { LOOK.0 };
        super::block_on(async {
            let repository = self.github.repository(&self.which, &path).await?;
            let (sha, subject) = repository.commit(self.commit.as_deref()).await?;
            let before = repository.told(&sha, subject).await?;
            let wish = Wish { sha: &sha, rebuild: self.rebuild, description: "asked for with ofc redeploy" };
            repository.deploy(&wish).await?;
            print(&format!(
                "{STRONG}{path}{STRONG:#} {} {FAINT}{}{FAINT:#} is deployed again\n",
                sha.short(),
                before.subject
            ))?;
            if !self.follow {
                return Ok(());
            }
            follow(&repository, &before, look).await
        })
    }
}

/// Shows what is new until the whole is at its end.
async fn follow(repository: &Repository, before: &Commit, look: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut shown: BTreeMap<String, String> = status::lines(before);
    loop {
        let now = repository.told(&before.sha, before.subject.clone()).await?;
        if let Some(outcome) = now.ended(before) {
            print(&status::render(&now))?;
            return status::verdict(outcome);
        }
        for (name, line) in status::lines(&now) {
            if shown.get(&name) != Some(&line) {
                print(&format!("{line}\n"))?;
                shown.insert(name, line);
            }
        }
        if begun.elapsed() > PATIENCE {
            anstream::eprintln!("It takes longer than {} minutes; it goes on.", PATIENCE.as_secs() / 60);
            return status::verdict(crate::host::Outcome::InProgress);
        }
        tokio::time::sleep(look).await;
    }
}
