//! A Prometheus that scrapes what a test wants it to.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helper")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

pub(crate) struct Prometheus {
    child: Child,
    pub(crate) url: String,
    _dir: tempfile::TempDir,
}

impl Prometheus {
    /// Scrapes this address five times a second.
    pub(crate) fn start(target: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = dir.path().join("prometheus.yml");
        let job = "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n- job_name: gateway\n";
        std::fs::write(&settings, format!("{job}  static_configs: [{{targets: ['{target}']}}]\n")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", settings.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs Prometheus: run `scripts/setup test` first");
        Self { child, url: format!("http://127.0.0.1:{port}"), _dir: dir }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
