//! An engine of a test's own, which it may stop and kill. Needs root, as every engine does.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helper")]

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use bollard::query_parameters::ImportImageOptions;
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::TryStreamExt;
use rustix::process::{Pid, Signal, kill_process};

use crate::bench::Bench;
use crate::support::eventually;

/// Addresses that nobody else uses: 10.N.0.0/16. The machine's own engine does not know of this one's networks, and
/// other test runs on this machine have engines of their own.
struct Addresses(u8);

impl Addresses {
    /// Takes a block for this interface. That two routes to one block cannot be there decides between those who take
    /// one in the same moment.
    fn take(interface: &str) -> Self {
        let first = std::process::id() % u32::from(BLOCKS);
        let numbers = (0..BLOCKS).map(|n| BLOCKS + (n + u8::try_from(first).unwrap()) % BLOCKS);
        let routes = routes();
        let free = numbers.filter(|n| !routes.iter().any(|route| overlaps(*route, Ipv4Addr::new(10, *n, 0, 0))));
        let mut taken = free.map(Self).filter(|block| {
            let route = Command::new("ip").args(["route", "add", &block.part("0.0/16"), "dev", interface]).output();
            route.unwrap().status.success()
        });
        taken.next().expect("this test needs addresses that no route of this machine leads to")
    }

    fn part(&self, rest: &str) -> String {
        format!("10.{}.{rest}", self.0)
    }

    /// The upper half, in networks of 256.
    fn pool(&self) -> String {
        self.part("128.0/17")
    }
}

const BLOCKS: u8 = 120;

/// Where this machine's routes lead, as addresses and lengths.
fn routes() -> Vec<(Ipv4Addr, u32)> {
    let listed = Command::new("ip").args(["-4", "route", "show", "table", "all"]).output();
    let listed = listed.expect("this test needs the program ip").stdout;
    let destination = |line: &str| {
        // The kind of route may stand before it.
        line.split_whitespace().take(2).find_map(|word| {
            let (address, length) = word.split_once('/').unwrap_or((word, "32"));
            Some((address.parse().ok()?, length.parse().ok()?))
        })
    };
    String::from_utf8_lossy(&listed).lines().filter_map(destination).collect()
}

/// A route to nearly everywhere says nothing about a block.
fn overlaps((address, length): (Ipv4Addr, u32), block: Ipv4Addr) -> bool {
    length > 8 && (address.to_bits() ^ block.to_bits()).leading_zeros() >= length.min(16)
}

/// A network namespace for this engine, with a cable to the machine's own: an engine takes the name `docker0` for its
/// own, and would take it away from the machine's.
struct Namespace {
    name: String,
    addresses: Addresses,
}

impl Namespace {
    fn make() -> Self {
        let name = format!("oft{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        ip(&["netns", "add", &name]);
        ip(&["link", "add", &name, "type", "veth", "peer", "name", "eth0", "netns", &name]);
        ip(&["link", "set", &name, "up"]);
        let made = Self { addresses: Addresses::take(&name), name };
        let (name, addresses) = (&made.name, &made.addresses);
        ip(&["address", "add", &addresses.part("0.1/24"), "dev", name]);
        ip(&["-n", name, "address", "add", &addresses.part("0.2/24"), "dev", "eth0"]);
        ip(&["-n", name, "link", "set", "eth0", "up"]);
        ip(&["-n", name, "link", "set", "lo", "up"]);
        ip(&["route", "add", &addresses.pool(), "via", &addresses.part("0.2")]);
        made
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The cable goes with it, and the routes with the cable.
        ip(&["netns", "delete", &self.name]);
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
        let network = format!("--net=/run/netns/{}", self.namespace.name);
        let pool = format!("base={},size=24", self.namespace.addresses.pool());
        let child = Command::new("nsenter")
            .args([network.as_str(), "dockerd"])
            .args(["--host", &self.socket(), "--data-root", &path("data"), "--exec-root", &path("exec")])
            .args(["--pidfile", &path("pid"), "--iptables=false", "--ip6tables=false"])
            .args(["--default-address-pool", &pool, "--log-level", "error"])
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
