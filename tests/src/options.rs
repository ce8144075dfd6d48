//! How a platform is started.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What `ofc up` is told, beyond ports and data directory.
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) program: PathBuf,
    pub(crate) data: Option<PathBuf>,
    pub(crate) engine: Option<String>,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
}

impl Options {
    /// Nothing but the program.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), data: None, engine: None, arguments: Vec::new(), variables: Vec::new() }
    }

    /// A data directory other than a new temporary one.
    #[must_use]
    pub fn data(mut self, path: &Path) -> Self {
        self.data = Some(path.to_owned());
        self
    }

    /// The engine at another socket.
    #[must_use]
    pub fn engine(mut self, address: &str) -> Self {
        self.engine = Some(address.to_owned());
        self
    }

    /// One more argument of `ofc up`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// One more environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `ofc` with nothing of the caller's that it would read.
    pub(crate) fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(folder).env("XDG_STATE_HOME", folder.join("state"));
        command.env("XDG_CONFIG_HOME", folder.join("config"));
        command.env_remove("OFC_DATA").env_remove("OFC_LOG");
        command
    }
}
