//! The repositories that are pushed, made with the git program.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// Who owns it.
pub(crate) const OWNER: &str = "bench";

/// A work tree of functions on the Python template.
pub(crate) struct Repository {
    folder: TempDir,
    functions: usize,
    remote: String,
    authorization: String,
}

impl Repository {
    /// Makes one with `functions` functions on top of `history` earlier commits.
    pub(crate) fn make(functions: usize, history: usize, git: &str, name: &str, authorization: String) -> Result<Self> {
        let repository = Self {
            folder: tempfile::tempdir()?,
            functions,
            remote: format!("{git}/{OWNER}/{name}.git"),
            authorization,
        };
        repository.git(&["init", "--quiet", "--initial-branch", "main"])?;
        repository.git(&["config", "user.name", "Bench"])?;
        repository.git(&["config", "user.email", "bench@example.com"])?;
        if history > 0 {
            repository.import(history)?;
        }
        let mut stack = "version: 1.0\nprovider:\n  name: openfaas\nfunctions:\n".to_owned();
        for number in 0..functions {
            writeln!(
                stack,
                "  fn-{number}:\n    lang: python3\n    handler: ./fn-{number}\n    image: fn-{number}:latest"
            )?;
            std::fs::create_dir_all(repository.path().join(format!("fn-{number}")))?;
        }
        std::fs::write(repository.path().join("stack.yml"), stack)?;
        repository.change(0..functions, "first")?;
        Ok(repository)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// How many functions it has.
    pub(crate) fn functions(&self) -> usize {
        self.functions
    }

    /// Commits a change of some functions' handlers; of none, an empty commit.
    pub(crate) fn change(&self, which: impl IntoIterator<Item = usize>, what: &str) -> Result<()> {
        for number in which {
            let code = format!("def handle(event, context):\n    return {{\"body\": \"{number} {what}\"}}\n");
            std::fs::write(self.path().join(format!("fn-{number}/handler.py")), code)?;
        }
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", what])
    }

    /// Pushes; returns once the pipeline is done with it.
    pub(crate) fn push(&self) -> Result<()> {
        let header = format!("http.extraHeader={}", self.authorization);
        self.git(&["-c", &header, "push", "--quiet", &self.remote, "HEAD:refs/heads/main"])
    }

    /// What the original's git-tar does with these tools: a whole clone, a checkout, a tar for each function.
    pub(crate) fn clone_and_pack(&self) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let header = format!("http.extraHeader={}", self.authorization);
        let copy = folder.path().join("copy");
        let copy_text = copy.display().to_string();
        self.git(&["-c", &header, "clone", "--quiet", &self.remote, &copy_text])?;
        run(Command::new("git").current_dir(&copy).args(["checkout", "--quiet", "HEAD"]))?;
        for number in 0..self.functions {
            let context = format!("fn-{number}");
            run(Command::new("tar").current_dir(&copy).args(["-cf", &format!("{context}.tar"), &context]))?;
        }
        Ok(())
    }

    /// Earlier commits, each touching one of 200 files.
    fn import(&self, commits: usize) -> Result<()> {
        let mut stream = String::new();
        for number in 1..=commits {
            let (text, message) = (format!("{number}\n").repeat(40), format!("commit {number}"));
            writeln!(
                stream,
                "commit refs/heads/main\nmark :{number}\ncommitter Bench <bench@example.com> {number} +0000"
            )?;
            writeln!(stream, "data {}\n{message}", message.len())?;
            if number > 1 {
                writeln!(stream, "from :{}", number - 1)?;
            }
            writeln!(stream, "M 100644 inline docs/{}.txt\ndata {}\n{text}", number % 200, text.len())?;
        }
        let mut import = Command::new("git");
        import.current_dir(self.path()).args(["fast-import", "--quiet"]).stdin(Stdio::piped());
        let mut child = import.spawn()?;
        child.stdin.take().context("no standard input")?.write_all(stream.as_bytes())?;
        ensure!(child.wait()?.success(), "git fast-import failed");
        self.git(&["reset", "--quiet", "--hard"])
    }

    fn git(&self, arguments: &[&str]) -> Result<()> {
        run(Command::new("git").current_dir(self.path()).args(arguments))
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.env("GIT_TERMINAL_PROMPT", "0").output().context("cannot start git or tar")?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
