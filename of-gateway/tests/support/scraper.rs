//! A Prometheus that scrapes what a test wants it to. The tests of `system-metrics` use this file, too.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helper")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

pub(crate) const MISSING: &str = "this test needs Prometheus: run `scripts/setup test` first";

pub(crate) struct Scraper {
    child: Child,
    /// Without a slash at its end.
    pub(crate) url: String,
    _dir: tempfile::TempDir,
}

impl Scraper {
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
            .expect(MISSING);
        Self { child, url: format!("http://127.0.0.1:{port}"), _dir: dir }
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
