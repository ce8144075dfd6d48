//! The program file, and becoming the one that is in its place now.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use nix::unistd::execve;
use tokio::process::Command;
use tokio::time::timeout;

use super::sockets::{Sockets, VARIABLES};

/// How long the new program may look at its settings.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// The end of what it writes is kept, in bytes.
const MAX_WORDS: usize = 2000;

/// Where the program lies, and what it was called with.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

/// The new program does not want to run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{} cannot be executed: {source}", .path.display())]
    Unusable { path: PathBuf, source: std::io::Error },
    #[error("{} did not end its check within {CHECK_TIMEOUT:?}", .0.display())]
    Silent(PathBuf),
    #[error("{}", .0)]
    Said(String),
}

impl Program {
    /// By the name that it was called by, so that a link that was turned to another version is followed.
    pub(crate) fn of_this_process() -> anyhow::Result<Self> {
        let mut all = std::env::args_os();
        let called = all.next().map(PathBuf::from).filter(|path| path.components().count() > 1 && path.exists());
        let path = match called {
            Some(path) => std::path::absolute(path),
            None => std::env::current_exe(),
        };
        let path = path.context("this program cannot find its own file")?;
        Ok(Self { path, arguments: all.collect() })
    }

    /// Asks the program that is there now whether it could run with these settings.
    pub(crate) async fn check(self) -> Result<(), Refused> {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).arg("--check").stdin(Stdio::null()).kill_on_drop(true);
        let unusable = |source| Refused::Unusable { path: self.path.clone(), source };
        let output = match timeout(CHECK_TIMEOUT, command.output()).await {
            Ok(output) => output.map_err(unusable)?,
            Err(_) => return Err(Refused::Silent(self.path)),
        };
        if output.status.success() {
            return Ok(());
        }
        let words = &output.stderr[output.stderr.len().saturating_sub(MAX_WORDS)..];
        Err(Refused::Said(format!("{} ({})", String::from_utf8_lossy(words).trim(), output.status)))
    }

    /// Becomes the program that is there now; comes back only with the reason why that failed. The process keeps its
    /// id, its blocked signals and these sockets.
    pub(crate) fn replace(&self, sockets: &Sockets) -> anyhow::Error {
        match self.try_replace(sockets) {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    fn try_replace(&self, sockets: &Sockets) -> anyhow::Result<std::convert::Infallible> {
        let path = c_string(self.path.clone().into_os_string())?;
        let arguments = std::iter::once(self.path.clone().into_os_string()).chain(self.arguments.iter().cloned());
        let arguments = arguments.map(c_string).collect::<anyhow::Result<Vec<_>>>()?;
        let mut environment = Vec::new();
        for (mut entry, value) in std::env::vars_os().filter(|(name, _)| VARIABLES.iter().all(|own| name != *own)) {
            entry.push("=");
            entry.push(value);
            environment.push(c_string(entry)?);
        }
        for (name, value) in sockets.pass_on()? {
            environment.push(c_string(format!("{name}={value}").into())?);
        }
        let executed = execve(&path, &arguments, &environment);
        sockets.keep()?;
        executed.with_context(|| self.path.display().to_string())
    }
}

fn c_string(text: OsString) -> anyhow::Result<CString> {
    CString::new(text.into_vec()).context("a null character among the arguments or variables")
}
