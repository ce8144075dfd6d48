//! An engine of a test's own, which it may stop and kill. Needs root, as every engine does.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helper")]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use bollard::query_parameters::ImportImageOptions;
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::TryStreamExt;
use rustix::process::{Pid, Signal, kill_process};

use crate::bench::Bench;
use crate::support::eventually;

/// Addresses that nobody else hands out: the machine's own engine does not know of this one's networks.
const POOL: &str = "base=10.213.0.0/16,size=24";

/// A network namespace for this engine, with a cable to the machine's own: an engine takes the name `docker0` for its
/// own, and would take it away from the machine's.
struct Namespace(String);

impl Namespace {
    fn make() -> Self {
        let name = format!("oft{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let made = Self(name.clone());
        ip(&["netns", "add", &name]);
        ip(&["link", "add", &name, "type", "veth", "peer", "name", "eth0", "netns", &name]);
        ip(&["address", "add", "10.212.0.1/24", "dev", &name]);
        ip(&["link", "set", &name, "up"]);
        ip(&["-n", &name, "address", "add", "10.212.0.2/24", "dev", "eth0"]);
        ip(&["-n", &name, "link", "set", "eth0", "up"]);
        ip(&["-n", &name, "link", "set", "lo", "up"]);
        ip(&["route", "add", "10.213.0.0/16", "via", "10.212.0.2"]);
        made
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The cable goes with it, and the route with the cable.
        ip(&["netns", "delete", &self.0]);
    }
}

fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status().expect("this test needs the program ip and root");
    assert!(status.success(), "ip {arguments:?}");
}

pub(crate) struct OwnEngine {
    /// Dropped after the engine was ended.
    namespace: Namespace,
    dir: tempfile::TempDir,
    child: Option<Child>,
}

impl OwnEngine {
    /// Starts it, with the images of this bench in it.
    pub(crate) async fn start(bench: &Bench) -> Self {
        let mut engine = Self { namespace: Namespace::make(), dir: tempfile::tempdir().unwrap(), child: None };
        engine.start_again().await;
        for image in &bench.images {
            let chunks: Vec<_> = bench.docker.export_image(image).try_collect().await.unwrap();
            let body = bollard::body_full(chunks.concat().into());
            let options = ImportImageOptions::default();
            engine.docker().import_image(options, body, None).try_collect::<Vec<_>>().await.unwrap();
        }
        engine
    }

    pub(crate) fn socket(&self) -> String {
        format!("unix://{}", self.path("engine.sock").display())
    }

    pub(crate) fn docker(&self) -> Docker {
        Docker::connect_with_unix(&self.socket(), 60, API_DEFAULT_VERSION).unwrap()
    }

    pub(crate) async fn start_again(&mut self) {
        let path = |name| self.path(name).display().to_string();
        let network = format!("--net=/run/netns/{}", self.namespace.0);
        let child = Command::new("nsenter")
            .args([network.as_str(), "dockerd"])
            .args(["--host", &self.socket(), "--data-root", &path("data"), "--exec-root", &path("exec")])
            .args(["--pidfile", &path("pid"), "--iptables=false", "--ip6tables=false"])
            .args(["--default-address-pool", POOL, "--log-level", "error"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test starts an engine of its own: it needs dockerd and root");
        self.child = Some(child);
        let answers = async || {
            let docker = Docker::connect_with_unix(&self.socket(), 60, API_DEFAULT_VERSION).ok()?;
            docker.ping().await.ok()
        };
        eventually("the test's own engine", answers).await;
    }

    /// As an operator or a package update does it.
    pub(crate) fn stop(&mut self) {
        self.end(Signal::TERM);
    }

    /// As a lack of memory does it.
    pub(crate) fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut child) = self.child.take() else { return };
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, signal).unwrap();
        child.wait().unwrap();
        // What was killed leaves these behind, and where the system's first process is slow to reap, the engine takes
        // them for processes that still run.
        for file in ["pid", "exec/containerd/containerd.pid"] {
            let _ = std::fs::remove_file(self.path(file));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        self.end(Signal::TERM);
        // An engine mounts its folder onto itself and leaves that behind, and the folder could not be removed.
        let left = [self.path("data"), self.path("exec/netns")].map(|path| path.display().to_string());
        let umount = Command::new("umount").arg("--recursive").args(left).stderr(Stdio::null()).status();
        drop(umount);
    }
}
