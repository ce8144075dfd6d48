//! A command of `ofc` that goes on while its test does something.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::wait::{DEADLINE, until_some};

/// The command. Killed with this value.
#[derive(Debug)]
pub struct Running {
    process: Process,
    folder: TempDir,
}

impl Running {
    pub(crate) fn start(command: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Process::spawn(command, &output(folder.path()));
        Self { process, folder }
    }

    /// All that it has said.
    pub fn said(&self) -> String {
        std::fs::read_to_string(output(self.folder.path())).unwrap_or_default()
    }

    /// Waits for a line with this text in it.
    ///
    /// # Panics
    /// When the command ends without it.
    pub fn line(&mut self, text: &str) -> String {
        until_some(text, DEADLINE, || {
            let ended = self.process.ended();
            let said = self.said();
            let found = said.lines().find(|line| line.contains(text)).map(str::to_owned);
            assert!(found.is_some() || ended.is_none(), "it ended and said: {said}");
            found
        })
    }

    /// Waits until it has done its work, and gives all that it said.
    ///
    /// # Panics
    /// When it failed.
    pub fn end(mut self) -> String {
        let (status, _) = self.process.wait(DEADLINE);
        assert!(status.success(), "{status}: {}", self.said());
        self.said()
    }
}

fn output(folder: &Path) -> PathBuf {
    folder.join("output")
}
