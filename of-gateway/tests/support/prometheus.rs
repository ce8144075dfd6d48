//! A Prometheus that scrapes what a test wants it to, and the tool that judges what it is shown.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helper")]

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::eventually;

const MISSING: &str = "this test needs Prometheus: run `scripts/setup test` first";

pub(crate) struct Prometheus {
    child: Child,
    url: String,
    http: reqwest::Client,
    _dir: tempfile::TempDir,
}

impl Prometheus {
    /// Scrapes this address five times a second.
    pub(crate) async fn start(target: &str) -> Self {
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
        let url = format!("http://127.0.0.1:{port}/api/v1/query");
        Self { child, url, http: sdk::http::client(), _dir: dir }
    }

    /// The value of a query that has one.
    pub(crate) async fn ask(&self, query: &str) -> Option<f64> {
        let answer = self.http.post(&self.url).form(&[("query", query)]).send().await.ok()?;
        let answer: Value = answer.json().await.ok()?;
        let [only] = answer["data"]["result"].as_array()?.as_slice() else { return None };
        only["value"][1].as_str()?.parse().ok()
    }

    /// Asks until the value is this one.
    pub(crate) async fn shows(&self, query: &str, value: f64) {
        let mut last = None;
        let same = async || {
            last = self.ask(query).await;
            (last == Some(value)).then_some(())
        };
        eventually(&format!("{query} to be {value}"), same).await;
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What promtool says against a page of metrics; nothing if it is in order.
pub(crate) fn complaints(page: &str) -> String {
    let mut tool = Command::new("promtool");
    tool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tool = tool.spawn().expect(MISSING);
    tool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
