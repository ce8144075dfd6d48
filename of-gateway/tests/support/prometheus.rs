//! Questions to a Prometheus that scrapes what a test wants it to, and the tool that judges what it is shown.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helper")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::eventually;
use super::scraper::{MISSING, Scraper};

pub(crate) struct Prometheus {
    scraper: Scraper,
    http: reqwest::Client,
}

impl Prometheus {
    /// Scrapes this address five times a second.
    pub(crate) async fn start(target: &str) -> Self {
        Self { scraper: Scraper::start(target), http: sdk::http::client() }
    }

    /// The value of a query that has one.
    pub(crate) async fn ask(&self, query: &str) -> Option<f64> {
        let url = format!("{}/api/v1/query", self.scraper.url);
        let answer = self.http.post(url).form(&[("query", query)]).send().await.ok()?;
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

/// What promtool says against a page of metrics; nothing if it is in order.
pub(crate) fn complaints(page: &str) -> String {
    let mut tool = Command::new("promtool");
    tool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tool = tool.spawn().expect(MISSING);
    tool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
