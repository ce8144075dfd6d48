//! The program itself, as an operator runs it.
#![expect(clippy::unwrap_used, reason = "test helper")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use http::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{PASSWORD, USER, eventually};

pub(crate) const READY: &str = "The gateway is ready.";
const BINARY: &str = env!("CARGO_BIN_EXE_of-gateway");

/// How the program is to be started.
pub(crate) struct Start {
    pub(crate) command: Command,
    pub(crate) secrets: PathBuf,
}

/// A running program. Killed when dropped.
pub(crate) struct Program {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    pub(crate) secrets: PathBuf,
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
}

/// The files of the credentials in this directory.
pub(crate) fn write_credentials(secrets: &Path, user: &str, password: &str) {
    std::fs::create_dir_all(secrets).unwrap();
    std::fs::write(secrets.join("basic-auth-user"), user).unwrap();
    std::fs::write(secrets.join("basic-auth-password"), password).unwrap();
}

impl Start {
    pub(crate) fn new(data_dir: &Path, engine: &str) -> Self {
        Self::of(BINARY.as_ref(), data_dir, engine)
    }

    /// Another program file, for example one that is to be replaced.
    pub(crate) fn of(program: &Path, data_dir: &Path, engine: &str) -> Self {
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0"]);
        let mut start = Self { command, secrets: data_dir.join("credentials") };
        start.surround(data_dir, engine);
        start
    }

    /// A command of another kind that starts the program in the end.
    pub(crate) fn by(command: Command, data_dir: &Path, engine: &str) -> Self {
        let mut start = Self { command, secrets: data_dir.join("credentials") };
        start.surround(data_dir, engine);
        start
    }

    fn surround(&mut self, data_dir: &Path, engine: &str) {
        write_credentials(&self.secrets, USER, PASSWORD);
        let variables = [("NO_COLOR", "1"), ("log_format", "text"), ("DOCKER_HOST", engine)];
        self.command.envs(variables).env("data_dir", data_dir).env("secret_mount_path", &self.secrets);
    }

    pub(crate) async fn run(mut self) -> Program {
        let mut child = self.command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (said, stderr) = (Arc::clone(&lines), child.stderr.take().unwrap());
        // Read to the end, or the program would wait for room in the pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                said.lock().unwrap().push(line);
            }
        });
        let (secrets, http) = (self.secrets, sdk::http::client());
        let mut program = Program { child, lines, secrets, url: String::new(), http };
        let ready = program.says(READY, 1).await;
        let address = ready.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
        program.url = format!("http://{address}");
        program
    }
}

impl Program {
    /// Waits until a line with these words was logged this many times; answers with the last.
    pub(crate) async fn says(&mut self, words: &str, times: usize) -> String {
        let said = async || {
            if let Some(line) = self.said(words).get(times - 1) {
                return Some(line.clone());
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended ({ended:?}); its log:\n{}", self.lines.lock().unwrap().join("\n"));
            None
        };
        eventually(words, said).await
    }

    /// The lines with these words.
    pub(crate) fn said(&self, words: &str) -> Vec<String> {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(words)).cloned().collect()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Everything that it has logged.
    pub(crate) fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    pub(crate) async fn deploy(&self, spec: &serde_json::Value) -> (u16, String) {
        let request = self.system(Method::POST, "/system/functions").json(spec);
        super::answer(request.send().await.unwrap()).await
    }

    /// A management request with the credentials that it was started with.
    pub(crate) fn system(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).basic_auth(USER, Some(PASSWORD))
    }

    pub(crate) async fn status_for(&self, user: &str, password: &str) -> u16 {
        let request = self.http.get(format!("{}/system/info", self.url)).basic_auth(user, Some(password));
        request.send().await.unwrap().status().as_u16()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        eventually("the program to end", async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGKILL: the program gets no chance to clean up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
