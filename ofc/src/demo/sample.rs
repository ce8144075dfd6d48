//! The sample as a repository of the user's would be: files, one commit, a remote.

use std::path::Path;
use std::process::Stdio;

use anyhow::Context;
use tempfile::TempDir;

use super::site::Site;
use crate::report::Trouble;
use crate::terminal::{ERROR, FAINT, GOOD};
use crate::{embedded, git};

/// The function whose line is changed.
pub(super) const CHANGED: &str = "count";
/// Its file.
const FILE: &str = "count/handler.py";
/// The line that is changed, without its indentation, and what it becomes.
const LINE: (&str, &str) = ("favourites = Counter(words).most_common(5)", "favourites = Counter(words).most_common(1)");
/// What its stack.yml declares.
pub(super) const FUNCTIONS: [&str; 3] = ["count", "greet", "page"];

/// A git repository in a folder that goes with it.
pub(super) struct Sample {
    folder: TempDir,
}

impl Sample {
    pub(super) fn lay_out(site: &Site) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("ofc-hello-").tempdir_in(super::scratch())?;
        let sample = Self { folder };
        embedded::lay_out_hello(sample.path())?;
        sample.git(&["init", "--quiet", "--initial-branch=main"])?;
        let local = [
            ("user.name", "Demo"),
            ("user.email", "demo@localhost"),
            ("commit.gpgsign", "false"),
            // Hooks that the user has for all repositories are not for this one.
            ("core.hooksPath", "/dev/null"),
        ];
        for (key, value) in local {
            sample.git(&["config", "--local", key, value])?;
        }
        git::link(sample.path(), site.data(), site.record(), site.repository(), "ofc")?;
        sample.continue_history()?;
        sample.git(&["add", "--all"])?;
        sample.git(&["commit", "--quiet", "--allow-empty", "--message", "Say hello"])?;
        Ok(sample)
    }

    /// A demo on a platform that has seen one before adds to what is there, as any push does.
    fn continue_history(&self) -> anyhow::Result<()> {
        if self.git(&["fetch", "--quiet", "ofc", "main"]).is_ok() {
            self.git(&["reset", "--quiet", "--soft", "FETCH_HEAD"])?;
        }
        Ok(())
    }

    /// The commit that would be pushed.
    pub(super) fn head(&self) -> anyhow::Result<String> {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Plain `git push`, whose words go to the terminal as they come.
    pub(super) async fn push(&self) -> anyhow::Result<()> {
        let mut push = tokio::process::Command::new("git");
        push.arg("-C").arg(self.path()).args(["push", "ofc", "main"]);
        push.env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null()).kill_on_drop(true);
        let status = push.status().await.context("git cannot be run")?;
        if status.success() {
            return Ok(());
        }
        Err(Trouble::new("git push failed").hint("its own words are above").into())
    }

    /// Changes one line, commits that, and returns how it looks as a difference.
    pub(super) fn change_one_line(&self) -> anyhow::Result<String> {
        let path = self.path().join(FILE);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let (old, new) = LINE;
        anyhow::ensure!(text.matches(old).count() == 1, "the sample's {FILE} has no line '{old}'");
        std::fs::write(&path, text.replace(old, new)).with_context(|| format!("cannot write {}", path.display()))?;
        self.git(&["commit", "--quiet", "--all", "--message", "Keep only the favourite"])?;
        Ok(format!("{FAINT}  {FILE}{FAINT:#}\n{ERROR}  - {old}{ERROR:#}\n{GOOD}  + {new}{GOOD:#}\n"))
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        git::git(self.path(), arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_the_line_and_the_functions_that_the_demo_speaks_of() {
        let folder = tempfile::tempdir().unwrap();
        embedded::lay_out_hello(folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert_eq!(text.matches(LINE.0).count(), 1);
        let stack = std::fs::read_to_string(folder.path().join("stack.yml")).unwrap();
        for name in FUNCTIONS {
            assert!(stack.contains(&format!("\n  {name}:\n")), "{name}");
        }
    }
}
