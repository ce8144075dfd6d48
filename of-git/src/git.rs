//! The git program as a child process: private environment, bounded time, output and number.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use sdk::id::Owner;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::turns::{Turn, Turns};

/// How long a push or fetch waits for its turn.
const TURN: Duration = Duration::from_secs(30);
/// How long one of our own questions to git may take.
const QUESTION: Duration = Duration::from_secs(60);
/// The most that git may answer to one of our own questions, in bytes.
const MAX_ANSWER: u64 = 32 * 1024 * 1024;
/// The most that is kept of git's error output, in bytes.
const MAX_STDERR: u64 = 16 * 1024;
/// Where git looks for programs. The environment of this process is not handed on.
const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Why git could not be run or did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    /// The program could not be started.
    #[error("could not start {program}")]
    Start { program: String, source: io::Error },
    /// Reading from or writing to the program failed.
    #[error("could not talk to git {what}")]
    Pipe { what: String, source: io::Error },
    /// It ended with a failure.
    #[error("git {what} failed ({status}): {stderr}")]
    Failed { what: String, status: std::process::ExitStatus, stderr: String },
    /// It took too long or said too much.
    #[error("git {what} went over its limit of {limit}")]
    Limit { what: String, limit: &'static str },
    /// All turns are taken.
    #[error("all git processes are busy")]
    Busy,
}

/// What a repository is asked to do over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Fetch and clone.
    UploadPack,
    /// Push.
    ReceivePack,
}

impl Service {
    /// The service of a `service=` parameter.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "git-upload-pack" => Some(Self::UploadPack),
            "git-receive-pack" => Some(Self::ReceivePack),
            _ => None,
        }
    }

    /// The name used in URLs and media types.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    fn subcommand(self) -> &'static str {
        match self {
            Self::UploadPack => "upload-pack",
            Self::ReceivePack => "receive-pack",
        }
    }
}

/// Runs git.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    program: PathBuf,
    home: PathBuf,
    settings: Arc<Vec<(&'static str, String)>>,
    turns: Turns,
}

impl Git {
    /// A runner. `home` is an empty directory, so that no one's personal settings are read.
    pub(crate) fn new(program: PathBuf, home: PathBuf, max_push_bytes: u64, max_processes: usize) -> Self {
        let settings = vec![
            ("safe.directory", "*".to_owned()),
            ("core.hooksPath", "/dev/null".to_owned()),
            ("receive.fsckObjects", "true".to_owned()),
            ("receive.denyDeletes", "false".to_owned()),
            ("receive.maxInputSize", max_push_bytes.to_string()),
            ("uploadpack.allowReachableSHA1InWant", "true".to_owned()),
            ("uploadpack.allowFilter", "true".to_owned()),
            ("pack.windowMemory", "128m".to_owned()),
        ];
        Self { program, home, settings: Arc::new(settings), turns: Turns::new(max_processes) }
    }

    /// A turn to run one push or fetch for an owner, or for the platform itself; give it back by dropping it.
    pub(crate) async fn turn(&self, owner: Option<&Owner>) -> Result<Turn, GitError> {
        match tokio::time::timeout(TURN, self.turns.take(owner)).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(GitError::Busy),
        }
    }

    /// `upload-pack` or `receive-pack` on a repository, all three streams piped.
    pub(crate) fn service(&self, service: Service, repository: &Path, protocol: Option<&str>) -> Command {
        let mut command = self.command(repository);
        command.arg(service.subcommand()).arg("--stateless-rpc");
        if let Some(version) = protocol {
            command.env("GIT_PROTOCOL", version);
        }
        command
    }

    /// Asks git a question and returns all of its answer.
    pub(crate) async fn ask<S: AsRef<OsStr>>(&self, folder: &Path, arguments: &[S]) -> Result<Vec<u8>, GitError> {
        self.ask_with(folder, arguments, &[]).await
    }

    /// Asks git a question with something to read on its input.
    pub(crate) async fn ask_with<S: AsRef<OsStr>>(
        &self,
        folder: &Path,
        arguments: &[S],
        input: &[u8],
    ) -> Result<Vec<u8>, GitError> {
        let what = arguments.first().map(|a| a.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
        let mut command = self.command(folder);
        self.bounded(command.args(arguments), &what, input).await
    }

    /// Runs a command of this runner and returns all that it writes.
    pub(crate) async fn collect(&self, command: &mut Command, what: &str) -> Result<Vec<u8>, GitError> {
        self.bounded(command, what, &[]).await
    }

    async fn bounded(&self, command: &mut Command, what: &str, input: &[u8]) -> Result<Vec<u8>, GitError> {
        match tokio::time::timeout(QUESTION, self.answer(command, what, input)).await {
            Ok(answer) => answer,
            Err(_) => Err(GitError::Limit { what: what.to_owned(), limit: "60 seconds" }),
        }
    }

    async fn answer(&self, command: &mut Command, what: &str, input: &[u8]) -> Result<Vec<u8>, GitError> {
        let pipe = |source| GitError::Pipe { what: what.to_owned(), source };
        let mut child = self.start(command)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            let Some(mut stdin) = stdin else { return };
            // A question that git refuses is not read to its end; the exit status tells.
            let _ = stdin.write_all(input).await;
        };
        let read = async {
            let mut answer = Vec::new();
            if let Some(out) = stdout {
                out.take(MAX_ANSWER + 1).read_to_end(&mut answer).await?;
            }
            Ok::<_, io::Error>(answer)
        };
        let (answer, (), stderr) = tokio::join!(read, write, error_text(stderr));
        let answer = answer.map_err(pipe)?;
        if answer.len() as u64 > MAX_ANSWER {
            return Err(GitError::Limit { what: what.to_owned(), limit: "32 MiB of answer" });
        }
        let status = child.wait().await.map_err(pipe)?;
        if status.success() { Ok(answer) } else { Err(GitError::Failed { what: what.to_owned(), status, stderr }) }
    }

    /// Starts a command of this runner.
    pub(crate) fn start(&self, command: &mut Command) -> Result<tokio::process::Child, GitError> {
        command.spawn().map_err(|source| GitError::Start { program: self.program.display().to_string(), source })
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(folder)
            .env_clear()
            .env("PATH", SEARCH_PATH)
            .env("HOME", &self.home)
            .env("XDG_CONFIG_HOME", &self.home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C.UTF-8")
            .env("GIT_CONFIG_COUNT", self.settings.len().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        for (index, (key, value)) in self.settings.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{index}"), key).env(format!("GIT_CONFIG_VALUE_{index}"), value);
        }
        command
    }
}

/// The beginning of what git says on its error output; the rest is read and dropped so that git never blocks.
pub(crate) async fn error_text(stderr: Option<tokio::process::ChildStderr>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let mut text = Vec::new();
    let _ = (&mut stderr).take(MAX_STDERR).read_to_end(&mut text).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_and_a_missing_program_say_what_was_tried() {
        let folder = tempfile::tempdir().unwrap();
        let git = Git::new("git".into(), folder.path().into(), 1000, 1);
        let error = git.ask(folder.path(), &["cat-file", "-e", "HEAD"]).await.unwrap_err();
        assert!(error.to_string().starts_with("git cat-file failed"), "{error}");
        let none = Git::new("/nonexistent/git".into(), folder.path().into(), 1000, 1);
        let error = none.ask(folder.path(), &["version"]).await.unwrap_err();
        assert_eq!(error.to_string(), "could not start /nonexistent/git");
    }

    #[tokio::test]
    async fn nothing_of_our_environment_is_handed_on() {
        let folder = tempfile::tempdir().unwrap();
        let git = Git::new("git".into(), folder.path().into(), 1000, 1);
        let config = git.ask(folder.path(), &["config", "--list", "--show-scope"]).await.unwrap();
        let text = String::from_utf8(config).unwrap();
        assert!(text.lines().all(|line| line.starts_with("command\t")), "{text}");
    }
}
