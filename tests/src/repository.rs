//! A user's repository: files, commits, and pushes with the real git.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::platform::Platform;

const SERVER: &str = include_str!("serve.pl");
const DOCKERFILE: &str = "FROM debian:bookworm-slim\nCOPY . /srv/\nUSER 12000\nCMD [\"perl\", \"/srv/serve.pl\"]\n";
const REMOTE: &str = "ofc";

/// A repository in a temporary folder.
#[derive(Debug)]
pub struct Repository {
    folder: TempDir,
    owner: String,
    name: String,
}

/// How a push ended.
#[derive(Debug)]
pub struct Pushed {
    /// True if git says so.
    pub ok: bool,
    /// What the platform told the pusher.
    pub lines: Vec<String>,
    /// All that git printed.
    pub output: String,
}

/// A push that goes on.
#[derive(Debug)]
pub struct Push(Option<Child>);

impl Repository {
    /// An empty repository whose branch is `main`.
    pub fn new(owner: &str, name: &str) -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap(), owner: owner.to_owned(), name: name.to_owned() };
        this.git(&["init", "--quiet", "--initial-branch=main"]);
        this.git(&["config", "user.name", "Test"]);
        this.git(&["config", "user.email", "test@localhost"]);
        this
    }

    /// A repository with these functions, each of which answers with its text, committed.
    pub fn with(owner: &str, name: &str, functions: &[(&str, &str)]) -> Self {
        let this = Self::new(owner, name);
        let names: Vec<(&str, &str)> = functions.iter().map(|(function, _)| (*function, "")).collect();
        this.stack(&names);
        for (function, answer) in functions {
            this.function(function, answer);
        }
        this.commit("Begin");
        this
    }

    /// `owner/name`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The owner's login.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, path: &str) -> PathBuf {
        let file = self.folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        file
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        fs::write(self.file(path), text).unwrap();
    }

    /// Makes a symbolic link.
    pub fn link(&self, target: &str, path: &str) {
        symlink(target, self.file(path)).unwrap();
    }

    /// Removes a file or a folder.
    pub fn remove(&self, path: &str) {
        let file = self.folder.path().join(path);
        if file.is_dir() { fs::remove_dir_all(file).unwrap() } else { fs::remove_file(file).unwrap() }
    }

    /// Writes a function's folder: a Dockerfile and a server that answers with this text.
    pub fn function(&self, name: &str, answer: &str) {
        self.write(&format!("{name}/Dockerfile"), DOCKERFILE);
        self.write(&format!("{name}/serve.pl"), SERVER);
        self.write(&format!("{name}/answer"), answer);
    }

    /// Writes a stack file with these functions, and for each what else its entry says (one line, or lines of
    /// which all but the first are indented).
    pub fn stack(&self, functions: &[(&str, &str)]) {
        let mut text = String::from("version: 1.0\nprovider:\n  name: openfaas\nfunctions:\n");
        for (name, more) in functions {
            text.push_str(&format!(
                "  {name}:\n    lang: dockerfile\n    handler: ./{name}\n    image: {name}:latest\n"
            ));
            if !more.is_empty() {
                text.push_str(&format!("    {more}\n"));
            }
        }
        self.write("stack.yml", text);
    }

    /// Commits everything, be it nothing, and gives the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.head()
    }

    /// The commit that is checked out.
    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// The files as they were in a commit, for the next one.
    pub fn restore(&self, commit: &str) {
        self.git(&["rm", "-r", "--quiet", "--force", "--ignore-unmatch", "."]);
        self.git(&["checkout", "--quiet", commit, "--", "."]);
        self.git(&["clean", "--quiet", "-ffdx"]);
    }

    /// Runs git and gives what it prints.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Git, with nothing of the user's configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.folder.path()).args(arguments).stdin(Stdio::null());
        git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        git.env("LC_ALL", "C");
        git
    }

    /// Pushes `main` and waits until git ends, which is when the platform has nothing more to say.
    pub fn push(&self, platform: &Platform) -> Pushed {
        self.start_push(platform, &["main"]).wait()
    }

    /// Pushes `main` and expects it to be deployed.
    pub fn deploy(&self, platform: &Platform) -> Pushed {
        let pushed = self.push(platform);
        assert!(pushed.ok && pushed.says("Deployed "), "{pushed}");
        pushed
    }

    /// Commits and pushes `main`.
    pub fn commit_and_push(&self, platform: &Platform) -> Pushed {
        self.commit("Change");
        self.push(platform)
    }

    /// Pushes what is checked out to a branch of a platform that has a remote of its own, and waits for the end.
    pub fn push_to(&self, platform: &Platform, remote: &str, branch: &str) -> Pushed {
        self.connect_as(platform, remote);
        self.begin(remote, &["--force", &format!("HEAD:refs/heads/{branch}")]).wait()
    }

    /// Begins to push, with these arguments after the remote.
    pub fn start_push(&self, platform: &Platform, arguments: &[&str]) -> Push {
        self.connect(platform);
        self.begin(REMOTE, arguments)
    }

    fn begin(&self, remote: &str, arguments: &[&str]) -> Push {
        let mut git = self.command(&["push", "--progress", remote]);
        git.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        Push(Some(git.spawn().unwrap()))
    }

    /// Points the remote at the platform, as its users do.
    pub fn connect(&self, platform: &Platform) {
        self.connect_as(platform, REMOTE);
    }

    fn connect_as(&self, platform: &Platform, remote: &str) {
        let linked = platform.ofc(&["link", &self.path(), "--remote", remote], Some(self.folder.path()));
        assert!(linked.status.success(), "ofc link: {}", text(&linked.stderr));
    }
}

impl Push {
    /// Waits for its end.
    pub fn wait(mut self) -> Pushed {
        Pushed::of(&self.0.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Pushed {
    fn of(output: &Output) -> Self {
        let all = text(&output.stdout) + text(&output.stderr).as_str();
        let said = all.split(['\n', '\r']).filter_map(|line| line.strip_prefix("remote:"));
        let lines = said.map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()).collect();
        Self { ok: output.status.success(), lines, output: all }
    }

    /// True if the platform said these words in one line.
    pub fn says(&self, words: &str) -> bool {
        self.lines.iter().any(|line| line.contains(words))
    }

    /// What was said last.
    pub fn last(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }
}

impl std::fmt::Display for Pushed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.output)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
