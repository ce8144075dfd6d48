use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::{Bench, SOCKET, with};
use crate::support::{PASSWORD, USER, eventually};

/// The program itself, to be killed.
struct Program {
    child: Child,
    url: String,
}

impl Program {
    #[expect(clippy::unwrap_used, reason = "test helper")]
    fn start(bench: &Bench) -> Self {
        let secrets = bench.dir.path().join("credentials");
        std::fs::create_dir_all(&secrets).unwrap();
        std::fs::write(secrets.join("basic-auth-user"), USER).unwrap();
        std::fs::write(secrets.join("basic-auth-password"), PASSWORD).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_of-gateway"))
            .args(["--listen", "127.0.0.1:0"])
            .env("data_dir", bench.dir.path())
            .env("secret_mount_path", &secrets)
            .env("DOCKER_HOST", SOCKET)
            .env("NO_COLOR", "1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let ready = lines.find(|line| line.contains("The gateway is ready.")).unwrap();
        let address = ready.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
        let url = format!("http://{address}");
        // Read on, or the program would wait for room in the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url }
    }

    fn kill(mut self) {
        // SIGKILL: the program gets no chance to clean up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    async fn deploy(&self, http: &reqwest::Client, spec: &Value) -> Option<u16> {
        let request = http.post(format!("{}/system/functions", self.url)).basic_auth(USER, Some(PASSWORD)).json(spec);
        Some(request.send().await.ok()?.status().as_u16())
    }

    async fn version(&self, http: &reqwest::Client) -> Option<String> {
        let response = http.get(format!("{}/function/victim/version", self.url)).send().await.ok()?;
        response.error_for_status().ok()?.text().await.ok()
    }
}

#[tokio::test]
async fn killed_at_any_moment_of_a_deployment_there_is_one_container_after_it() {
    let bench = Bench::set_up().await;
    let http = sdk::http::client();
    let version = |v: usize| with(bench.spec("victim"), json!({"envVars": {"VERSION": v.to_string()}}));
    let mut program = Program::start(&bench);
    assert_eq!(program.deploy(&http, &version(0)).await, Some(202));
    let mut before = 0;
    for round in 1..=12 {
        // A deployment takes some 300 to 600 ms here; the moments of death lie all over it.
        let spec = version(round);
        let outcome =
            tokio::time::timeout(Duration::from_millis(60 * round as u64), program.deploy(&http, &spec)).await;
        program.kill();
        program = Program::start(&bench);
        let live = eventually("the function to answer", async || program.version(&http).await).await;
        let live: usize = live.parse().unwrap();
        assert!(live == before || live == round, "version {live} after {before} and {round}");
        if outcome == Ok(Some(202)) {
            assert_eq!(live, round, "what was answered with 202 is live");
        }
        let instance = std::fs::read_to_string(bench.dir.path().join("instance")).unwrap();
        let found = bench.containers(instance.trim(), "victim").await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(!found[0].0.ends_with("-new") && found[0].2 == "running", "{found:?}");
        before = live;
    }
    program.kill();
}

#[tokio::test]
async fn calls_queued_for_a_container_survive_the_kill() {
    let bench = Bench::set_up().await;
    let http = sdk::http::client();
    let program = Program::start(&bench);
    assert_eq!(program.deploy(&http, &bench.spec("victim")).await, Some(202));
    for n in 0..20 {
        // Each takes two seconds, so that none can have ended when the program is killed.
        let call = http.post(format!("{}/async-function/victim/slow", program.url)).header("x-call-id", n.to_string());
        assert_eq!(call.send().await.unwrap().status(), 202);
    }
    program.kill();
    let program = Program::start(&bench);
    let count = async || {
        let request = http.get(format!("{}/system/function/victim", program.url)).basic_auth(USER, Some(PASSWORD));
        let shown: Value = request.send().await.ok()?.json().await.ok()?;
        (shown["invocationCount"].as_f64()? >= 20.0).then_some(())
    };
    eventually("all calls to be made", count).await;
    program.kill();
}
