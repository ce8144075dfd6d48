//! A gateway of its own for each test.
#![expect(clippy::unwrap_used, reason = "test helper")]
#![allow(dead_code, reason = "each test program uses a part")]

#[path = "../../../queue/tests/support/nats.rs"]
pub(crate) mod nats;
pub(crate) mod program;
pub(crate) mod prometheus;
pub(crate) mod scraper;

use std::path::Path;
use std::time::{Duration, Instant};

use http::Method;
use of_gateway::{Config, Gateway};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const USER: &str = "admin";
pub(crate) const PASSWORD: &str = "correct horse";
/// Long enough for a loaded machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    pub(crate) instance: String,
    pub(crate) metrics: axum::Router,
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

pub(crate) fn config(data_dir: &Path) -> Config {
    Config::new(data_dir, USER, SecretString::from(PASSWORD))
}

impl Running {
    pub(crate) async fn start(config: Config) -> Self {
        Self::start_on(config, TcpListener::bind(("127.0.0.1", 0)).await.unwrap()).await
    }

    pub(crate) async fn start_on(config: Config, listener: TcpListener) -> Self {
        let http = sdk::http::client();
        let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let gateway = Gateway::start(config).await.unwrap();
        let (instance, metrics) = (gateway.instance().to_owned(), gateway.metrics());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(gateway.serve(listener, shutdown.clone()));
        Self { url, http, instance, metrics, shutdown, task }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A management request with the right credentials.
    pub(crate) fn system(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, self.at(path)).basic_auth(USER, Some(PASSWORD))
    }

    pub(crate) async fn system_json(&self, method: Method, path: &str, body: serde_json::Value) -> (u16, String) {
        answer(self.system(method, path).json(&body).send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        answer(self.http.get(self.at(path)).send().await.unwrap()).await
    }

    pub(crate) async fn system_get(&self, path: &str) -> serde_json::Value {
        self.system(Method::GET, path).send().await.unwrap().json().await.unwrap()
    }
}

pub(crate) async fn answer(response: reqwest::Response) -> (u16, String) {
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Asks until the answer is there; a test that waits in vain says for what.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + DEADLINE;
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < until, "in vain: {what}");
        pause.tick().await;
    }
}
