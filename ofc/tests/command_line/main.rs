//! `ofc` as its users meet it: the program itself, its output and its exit codes.

mod background;
mod credentials;
mod login;
mod platform;
mod words;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with a data directory in it, and a state folder of its own so that nothing of the user's is touched.
struct Place {
    folder: TempDir,
}

impl Place {
    #[expect(clippy::unwrap_used, reason = "test helper")]
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.path().join(".ofc")
    }

    /// `ofc`, with nothing of the caller's environment that it reads.
    fn ofc(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ofc"));
        command.args(arguments).current_dir(self.path()).env("XDG_STATE_HOME", self.path().join("state"));
        command.env("XDG_CONFIG_HOME", self.path().join("config"));
        for name in ["OFC_DATA", "OFC_LOG", "OFC_GITHUB_APP_ID", "OFC_GITHUB_KEY_FILE", "OFC_GITHUB_TOKEN_FILE"] {
            command.env_remove(name);
        }
        command
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    fn run(&self, arguments: &[&str]) -> Output {
        self.ofc(arguments).output().unwrap()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
