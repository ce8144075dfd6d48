//! `ofc up`, with a container engine.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::{Place, stderr, stdout};

/// `ofc up` promises to be gone within ten seconds.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A platform on free ports. Killed if the test ends early.
pub(crate) struct Up {
    child: Child,
    pub(crate) router: String,
    pub(crate) gateway: String,
}

impl Up {
    /// Returns once the record is there, which is when pushes are taken.
    #[expect(clippy::unwrap_used, reason = "test helper")]
    pub(crate) fn start(place: &Place, more: &[&str]) -> Self {
        let mut command = place.ofc(&["up", "--port", "0", "--gateway-port", "0"]);
        let mut child = command.args(more).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let banner = lines.by_ref().map(Result::unwrap).any(|line| line.contains("git push ofc main"));
        assert!(banner, "ofc up ended without its banner: {:?}", child.wait());
        // Nobody reads on, and a full pipe would stop the platform.
        std::thread::spawn(move || lines.for_each(drop));
        let record = std::fs::read(place.data().join("running.json")).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        let address = |name: &str| record[name].as_str().unwrap().to_owned();
        Self { child, router: address("router"), gateway: address("gateway") }
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    fn wait(&mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, started.elapsed());
            }
            assert!(started.elapsed() < STOP_LIMIT, "ofc up does not stop");
            std::thread::yield_now();
        }
    }

    /// The limit of open files that holds, and the most that it could be.
    fn open_files(&self) -> (Option<u64>, Option<u64>) {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap_or_default();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
        let mut numbers = line.split_whitespace().map(|number| number.parse().ok());
        (numbers.next().flatten(), numbers.next().flatten())
    }

    /// What is in memory and in no file. The pages of a program that was compiled without optimization, and with everything
    /// that the workspace can be compiled with, are not those of the one that people run.
    fn own_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn get(address: &str, host: &str, path: &str) -> reqwest::StatusCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let request = sdk::http::client().get(format!("http://{address}{path}")).header("host", host).send();
    runtime.block_on(request).unwrap().status()
}

#[test]
fn it_boots_serves_and_stops_on_sigterm() {
    let place = Place::new();
    let mut up = Up::start(&place, &[]);
    assert_eq!(get(&up.gateway, "localhost", "/healthz"), 200);
    assert_eq!(get(&up.router, "localhost", "/healthz"), 200);
    assert_eq!(get(&up.router, "git.localhost", "/api/v3/repos/a/b"), 404, "only repositories are to be seen");
    assert_eq!(get(&up.router, "alice.localhost", "/nothing"), 404);
    assert_eq!(get(&up.router, "system.localhost", "/list-functions"), 404);
    let status = place.run(&["status", "--json"]);
    assert!(status.status.success(), "{}", stderr(&status));
    let status: serde_json::Value = serde_json::from_str(&stdout(&status)).unwrap();
    assert_eq!(status["functions"], 14, "{status}");
    assert!(stdout(&place.run(&["ls"])).contains("Nothing is deployed"));
    up.signal(rustix::process::Signal::TERM);
    let (ended, took) = up.wait();
    assert!(ended.success(), "{ended}");
    println!("stopped within {took:?}");
    assert_eq!(place.run(&["status"]).status.code(), Some(1));
    assert!(!place.data().join("running.json").exists());
}

#[test]
fn it_takes_as_many_open_files_as_it_may_have() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    let low = before.maximum.unwrap_or(512).min(512) - 1;
    setrlimit(Resource::Nofile, Rlimit { current: Some(low), ..before }).unwrap();
    let place = Place::new();
    let up = Up::start(&place, &[]);
    setrlimit(Resource::Nofile, before).unwrap();
    let (holds, most) = up.open_files();
    assert_eq!(holds, most);
    assert_ne!(holds, Some(low));
    let log = std::fs::read_to_string(place.data().join("ofc.log")).unwrap();
    assert!(log.contains("The number of files that may be open is at its most"), "{log}");
}

#[test]
fn the_idle_platform_is_small() {
    let place = Place::new();
    let up = Up::start(&place, &[]);
    let own = up.own_bytes();
    println!("its own: {} MB", own / 1_000_000);
    // The budget of 80 MB for all of it is measured by `make bench`, with the program as it is delivered.
    assert!(own > 0 && own < 20_000_000, "{own} bytes are its own");
}

#[test]
fn secrets_stay_and_are_shown_to_nobody() {
    let place = Place::new();
    let folder = place.data().join("secrets");
    let read = || -> Vec<(String, String)> {
        let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let pair = |path: std::path::PathBuf| {
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap())
        };
        let mut all: Vec<_> = entries.map(pair).collect();
        all.sort();
        all
    };
    let mut up = Up::start(&place, &["-v"]);
    let first = read();
    let running = stdout(&place.run(&["status"])) + &stdout(&place.run(&["password"]));
    up.signal(rustix::process::Signal::INT);
    assert!(up.wait().0.success());
    let log = std::fs::read_to_string(place.data().join("ofc.log")).unwrap();
    for (name, value) in first.iter().filter(|(name, _)| name != "basic-auth-user") {
        assert!(!log.contains(value.as_str()) && !running.contains(value.as_str()), "{name} is shown");
    }
    let _again = Up::start(&place, &[]);
    assert_eq!(read(), first);
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_second_platform_on_the_same_data_is_refused() {
    let place = Place::new();
    let _up = Up::start(&place, &[]);
    let output = place.run(&["up", "--port", "0", "--gateway-port", "0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("runs with the data directory"), "{}", stderr(&output));
}

#[test]
fn a_taken_port_is_named_with_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = Place::new().run(&["up", "--port", &port, "--gateway-port", "0"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output).replace(&port, "PORT");
    insta::assert_snapshot!(text, @r"
    error: port PORT of 127.0.0.1 is taken
      caused by: Address already in use (os error 98)
      hint: stop what listens there, or choose another: --port PORT (--port 0 takes a free one)
    ");
}

#[test]
fn after_a_kill_the_next_start_is_as_any_other() {
    let place = Place::new();
    let mut up = Up::start(&place, &[]);
    up.signal(rustix::process::Signal::KILL);
    up.wait();
    assert_eq!(place.run(&["status"]).status.code(), Some(1));
    let up = Up::start(&place, &[]);
    assert_eq!(get(&up.gateway, "localhost", "/healthz"), 200);
}
