//! A NATS server of a test's own. Also used by the tests of the gateway.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(30);

pub(crate) struct NatsServer {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl NatsServer {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// With these lines in its configuration.
    pub(crate) fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        Self::storing(folder, &store, settings)
    }

    /// Keeps its streams there.
    pub(crate) fn storing(folder: TempDir, store: &Path, settings: &str) -> Self {
        let mut config = format!("ports_file_dir: {:?}\n", folder.path());
        writeln!(config, "jetstream {{ store_dir: {store:?} }}\n{settings}").unwrap();
        std::fs::write(folder.path().join("nats.conf"), config).unwrap();
        let mut server = Self { folder, port: 0, child: None };
        server.run("-1".to_owned());
        server.port = server.read_port();
        server
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// SIGKILL: it gets no chance to clean up.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// On the port of before, with what it had stored.
    pub(crate) fn start_again(&mut self) {
        self.run(self.port.to_string());
    }

    fn run(&mut self, port: String) {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let child = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", &port, "-c"])
            .arg(self.folder.path().join("nats.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("nats-server cannot be started ({error}); scripts/setup test installs it"));
        self.child = Some(child);
    }

    /// The server writes down where it listens.
    fn read_port(&self) -> u16 {
        let id = self.child.as_ref().unwrap().id();
        let path = self.folder.path().join(format!("nats-server_{id}.ports"));
        let until = Instant::now() + START;
        loop {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let digits = text.split("127.0.0.1:").nth(1).and_then(|rest| rest.split('"').next());
            if let Some(port) = digits.and_then(|digits| digits.parse().ok()) {
                return port;
            }
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "nats-server does not start: {log}");
            std::thread::yield_now();
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
