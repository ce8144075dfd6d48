//! The program itself, with settings of a test's own, and its log kept.
#![expect(clippy::unwrap_used, reason = "test helper")]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::bench::{Bench, SOCKET};
use crate::support::{PASSWORD, USER, answer};

/// Nobody, on nearly every system.
const NOBODY: u32 = 65534;

pub(crate) struct Program {
    child: Child,
    pub(crate) url: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Program {
    pub(crate) fn start(bench: &Bench, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_of-gateway"));
        Self::run(bench, variables, &mut command)
    }

    /// As a user who may do nothing but talk to the engine.
    pub(crate) fn start_as_nobody(bench: &Bench, variables: &[(&str, &str)]) -> Self {
        // Where the program was built may be closed to others.
        let program = bench.dir.path().join("of-gateway");
        std::fs::copy(env!("CARGO_BIN_EXE_of-gateway"), &program).unwrap();
        chown(bench.dir.path(), Some(NOBODY), None).unwrap();
        let group = std::fs::metadata(SOCKET.trim_start_matches("unix://")).unwrap().gid();
        Self::run(bench, variables, Command::new(program).uid(NOBODY).gid(group))
    }

    fn run(bench: &Bench, variables: &[(&str, &str)], command: &mut Command) -> Self {
        let secrets = bench.dir.path().join("credentials");
        std::fs::create_dir_all(&secrets).unwrap();
        std::fs::write(secrets.join("basic-auth-user"), USER).unwrap();
        std::fs::write(secrets.join("basic-auth-password"), PASSWORD).unwrap();
        let mut child = command
            .args(["--listen", "127.0.0.1:0"])
            .env("data_dir", bench.dir.path())
            .env("secret_mount_path", &secrets)
            .env("DOCKER_HOST", SOCKET)
            .env("NO_COLOR", "1")
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let log = Arc::new(Mutex::new(Vec::new()));
        let ready = loop {
            let Some(line) = lines.next() else { panic!("the program ended: {}", log.lock().unwrap().join("\n")) };
            log.lock().unwrap().push(line.clone());
            if line.contains("The gateway is ready.") {
                break line;
            }
        };
        let address = ready.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
        let url = format!("http://{address}");
        // Read on, or the program would wait for room in the pipe.
        let kept = Arc::clone(&log);
        std::thread::spawn(move || lines.for_each(|line| kept.lock().unwrap().push(line)));
        Self { child, url, log }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    pub(crate) async fn deploy(&self, spec: &Value) -> (u16, String) {
        let request = sdk::http::client().post(format!("{}/system/functions", self.url));
        answer(request.basic_auth(USER, Some(PASSWORD)).json(spec).send().await.unwrap()).await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
