//! What an operator sees and does: the access log, the metrics, a new configuration, a new program.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use of_router::{AccessLog, Change};
use support::{DEADLINE, Gateway, Router, config};
use tokio::net::TcpListener;

async fn until<T>(what: impl AsyncFn() -> Option<T>) -> T {
    let mut look = tokio::time::interval(std::time::Duration::from_millis(2));
    let wait = async {
        loop {
            if let Some(found) = what().await {
                return found;
            }
            look.tick().await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap()
}

async fn gateway() -> Gateway {
    let gateway = Gateway::start().await;
    gateway.deploy("alice-greet", "alice");
    gateway
}

async fn lines(path: &Path, count: usize) -> Vec<serde_json::Value> {
    until(async || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let whole: Vec<_> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (whole.len() >= count).then_some(whole)
    })
    .await
}

#[tokio::test]
async fn requests_are_written_down_without_secrets() {
    let (folder, gateway) = (tempfile::tempdir().unwrap(), gateway().await);
    let path = folder.path().join("access.log");
    let mut config = config(gateway.address);
    config.serving.access_log = AccessLog::File(path.clone());
    let (router, changes) = Router::start_changing(config).await;
    let request = router.post("alice.localhost", "/greet/x?token=secret").body("hello");
    let answer = request.header("cookie", "session=secret").bearer_auth("secret").send().await.unwrap();
    let call_id = answer.headers()["x-call-id"].to_str().unwrap().to_owned();
    assert_eq!(answer.text().await.unwrap(), "hello");
    let line = lines(&path, 1).await.remove(0);
    for (name, value) in [
        ("method", "POST"),
        ("host", "alice.localhost"),
        ("path", "/greet/x"),
        ("client", "127.0.0.1"),
        ("owner", "alice"),
        ("function", "alice-greet"),
        ("protocol", "HTTP/1.1"),
        ("call_id", &call_id),
    ] {
        assert_eq!(line[name], value, "{line}");
    }
    assert_eq!((&line["status"], &line["bytes_in"], &line["bytes_out"]), (&200.into(), &5.into(), &5.into()));
    assert!(line["seconds"].as_f64().unwrap() > 0.0 && line["time"].as_str().unwrap().ends_with('Z'));
    assert!(!std::fs::read_to_string(&path).unwrap().contains("secret"));
    // The file is moved away and opened anew.
    let old = folder.path().join("access.log.1");
    std::fs::rename(&path, &old).unwrap();
    changes.send(Change::Logs).await.unwrap();
    until(async || path.exists().then_some(())).await;
    assert_eq!(router.status("alice.localhost", "/nothing").await, 404);
    assert_eq!(lines(&path, 1).await[0]["status"], 404);
    assert_eq!(lines(&old, 1).await.len(), 1);
}

#[tokio::test]
async fn a_client_that_is_gone_is_written_down_too() {
    let (folder, gateway) = (tempfile::tempdir().unwrap(), gateway().await);
    let path = folder.path().join("access.log");
    let mut config = config(gateway.address);
    config.serving.access_log = AccessLog::File(path.clone());
    let router = Router::start(config).await;
    let asked = tokio::spawn(router.get("alice.localhost", "/greet/slow").send());
    until(async || (!gateway.reached().is_empty()).then_some(())).await;
    asked.abort();
    assert_eq!(lines(&path, 1).await[0]["status"], 499);
}

#[tokio::test]
async fn metrics_are_served_on_an_address_of_their_own() {
    let gateway = gateway().await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut config = config(gateway.address);
    config.serving.metrics_address = Some(address);
    config.serving.owner_requests_per_second = 1;
    config.serving.owner_burst = 1;
    let router = Router::start(config).await;
    assert_eq!(router.status("alice.localhost", "/greet").await, 200);
    assert_eq!(router.status("alice.localhost", "/greet").await, 429);
    let text = until(async || {
        let text = sdk::http::client().get(format!("http://{address}/metrics")).send().await.ok()?.text().await.ok()?;
        text.contains("router_request_duration_seconds_count 2").then_some(text)
    })
    .await;
    for line in [
        "router_requests_total{class=\"2xx\"} 1",
        "router_owner_requests_total{owner=\"alice\",class=\"4xx\"} 1",
        "router_limits_total{limit=\"owner_rate\"} 1",
        "router_request_duration_seconds_bucket{le=\"+Inf\"} 2",
        "router_upstream_errors_total 0",
        "router_auth_decisions_total{decision=\"unclear\"} 0",
        "# TYPE router_request_duration_seconds histogram",
    ] {
        assert!(text.lines().any(|given| given == line), "{line} is not in:\n{text}");
    }
    assert_eq!(router.status("metrics.localhost", "/metrics").await, 404, "the door itself tells nobody");
}

#[tokio::test]
async fn a_new_configuration_counts_from_the_next_request_on() {
    let (gateway, other) = (gateway().await, Gateway::start().await);
    other.deploy("bob-greet", "bob");
    let (router, changes) = Router::start_changing(config(gateway.address)).await;
    let open = tokio::spawn(router.get("alice.localhost", "/greet/slow").send());
    until(async || (!gateway.reached().is_empty()).then_some(())).await;
    assert_eq!(router.status("bob.localhost", "/greet").await, 404);
    let mut wrong = config(other.address);
    wrong.gateway_url = "https://127.0.0.1:1".parse().unwrap();
    changes.send(Change::Config(Box::new(wrong))).await.unwrap();
    assert_eq!(router.status("alice.localhost", "/greet").await, 200, "what cannot be used changes nothing");
    changes.send(Change::Config(Box::new(config(other.address)))).await.unwrap();
    until(async || (router.status("bob.localhost", "/greet").await == 200).then_some(())).await;
    assert!(!open.is_finished(), "an open request stays open");
}

struct Program(Child);

impl Program {
    fn start(folder: &Path, address: SocketAddr) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_of-router"));
        command.arg("--env-file").arg(folder.join("env")).env("listen_address", address.to_string());
        command.env("secret_mount_path", folder).env("RUST_LOG", "info");
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").arg(format!("-{name}")).arg(self.0.id().to_string()).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn write_env(folder: &Path, gateway: SocketAddr, metrics: &str) {
    let text = format!(
        "domain=localhost\ngateway_url=http://{gateway}\nmetrics_address={metrics}\naccess_log=off\n\
         max_client_connections=0\ndrain_idle_timeout=2s\n"
    );
    std::fs::write(folder.join("env"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_new_configuration_nor_a_new_program_loses_a_request() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (folder, gateway, other) = (tempfile::tempdir().unwrap(), gateway().await, gateway().await);
    std::fs::write(folder.path().join("basic-auth-user"), "admin").unwrap();
    std::fs::write(folder.path().join("basic-auth-password"), "secret").unwrap();
    write_env(folder.path(), gateway.address, "off");
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut old = Program::start(folder.path(), address);
    until(async || tokio::net::TcpStream::connect(address).await.ok()).await;
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> =
        (0..8).map(|index| tokio::spawn(load(address, index % 2 == 0, stop.clone(), done.clone()))).collect();
    let more = async |count: usize| {
        let target = done.load(Ordering::Relaxed) + count;
        until(async || (done.load(Ordering::Relaxed) >= target).then_some(())).await;
    };
    more(100).await;
    std::fs::write(folder.path().join("env"), "this is no configuration").unwrap();
    old.signal("HUP");
    more(100).await;
    write_env(folder.path(), other.address, "off");
    old.signal("HUP");
    until(async || (!other.reached().is_empty()).then_some(())).await;
    more(100).await;
    let new = Program::start(folder.path(), address);
    until(async || listeners(address.port()).then_some(())).await;
    old.signal("TERM");
    tokio::task::spawn_blocking(move || old.0.wait().unwrap()).await.unwrap();
    more(100).await;
    stop.store(true, Ordering::Relaxed);
    for one in load {
        one.await.unwrap();
    }
    drop(new);
}

/// True if two sockets listen on the port.
fn listeners(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let end = format!(":{port:04X}");
    let listening = table.lines().filter_map(|line| {
        let mut parts = line.split_whitespace().skip(1);
        Some((parts.next()?, parts.nth(1)?))
    });
    listening.filter(|(local, state)| local.ends_with(&end) && *state == "0A").count() == 2
}

/// Asks again and again, on one connection or on a new one each time; any request that fails is a panic.
async fn load(address: SocketAddr, keep: bool, stop: Arc<AtomicBool>, done: Arc<AtomicUsize>) {
    let mut client = sdk::http::client();
    while !stop.load(Ordering::Relaxed) {
        if !keep {
            client = sdk::http::client();
        }
        let request = client.get(format!("http://{address}/greet")).header("host", "alice.localhost");
        let answer = request.timeout(DEADLINE).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
        done.fetch_add(1, Ordering::Relaxed);
    }
}
