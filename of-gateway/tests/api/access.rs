use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::post;
use of_gateway::Config;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Running, eventually};
use crate::without_engine;

/// What is logged, one JSON object a line.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    /// The lines of one target.
    fn of(&self, target: &str) -> Vec<Value> {
        let text = String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["target"] == target).collect()
    }
}

/// Logs everything of this thread and of the gateway's that are started on it.
fn listen() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(tracing::Level::DEBUG);
    let guard = tracing::subscriber::set_default(lines.with_writer(log.clone()).finish());
    (log, guard)
}

fn echo() -> Router {
    let hang = post(std::future::pending::<()>);
    let noisy = post(|| async { tracing::info!(target: "function", "It works.") });
    Router::new().route("/", post(|body: String| async { body })).route("/hang", hang).route("/noisy", noisy)
}

#[tokio::test]
async fn each_request_is_logged_once_it_has_ended_if_that_is_wanted() {
    let (log, _guard) = listen();
    let dir = tempfile::tempdir().unwrap();
    let config = Config { access_log: true, ..without_engine(dir.path(), [("f", echo())]) };
    let gateway = Running::start(config).await;
    let call = gateway.http.post(gateway.at("/function/f?token=secret")).header("x-call-id", "c1").body("12345");
    assert_eq!(call.send().await.unwrap().text().await.unwrap(), "12345");
    gateway.get("/system/functions").await;
    gateway.http.post(gateway.at("/async-function/f")).header("x-call-id", "c2").send().await.unwrap();
    let impatient = gateway.http.post(gateway.at("/function/f/hang")).header("x-call-id", "c3");
    impatient.timeout(std::time::Duration::from_millis(100)).send().await.unwrap_err();
    let lines = eventually("four lines", async || Some(log.of("access")).filter(|lines| lines.len() >= 4)).await;
    let of = |path: &str| lines.iter().find(|line| line["path"] == path).unwrap().clone();
    let line = of("/function/f");
    assert_eq!((&line["method"], &line["status"], &line["bytes"]), (&"POST".into(), &200.into(), &5.into()));
    assert_eq!((&line["function"], &line["call_id"]), (&"f.openfaas-fn".into(), &"c1".into()));
    assert_eq!((&line["peer"], &line["whole"]), (&"127.0.0.1".into(), &true.into()));
    assert!(line["seconds"].as_f64().unwrap() < 60.0);
    assert_eq!((&of("/system/functions")["status"], &of("/system/functions")["function"]), (&401.into(), &Value::Null));
    assert_eq!((&of("/async-function/f")["status"], &of("/async-function/f")["call_id"]), (&202.into(), &"c2".into()));
    let left = of("/function/f/hang");
    assert_eq!((&left["status"], &left["whole"], &left["call_id"]), (&0.into(), &false.into(), &"c3".into()));
    let all = serde_json::to_string(&lines).unwrap();
    assert!(!all.contains("secret"), "the query is not logged: {all}");
}

#[tokio::test]
async fn nothing_is_logged_unasked() {
    let (log, _guard) = listen();
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("f", echo())])).await;
    assert_eq!(gateway.http.post(gateway.at("/function/f")).send().await.unwrap().status(), 200);
    gateway.stop().await;
    assert!(log.of("access").is_empty());
}

#[tokio::test]
async fn what_is_logged_during_a_call_names_the_function_and_the_call() {
    let (log, _guard) = listen();
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("f", echo())])).await;
    for prefix in ["function", "async-function"] {
        let call = gateway.http.post(gateway.at(&format!("/{prefix}/f/noisy"))).header("x-call-id", prefix);
        assert!(call.send().await.unwrap().status().is_success());
    }
    let lines = eventually("two lines", async || Some(log.of("function")).filter(|lines| lines.len() == 2)).await;
    for (line, call_id) in lines.iter().zip(["function", "async-function"]) {
        let span = &line["span"];
        assert_eq!((&span["name"], &span["function"]), (&"call".into(), &"f.openfaas-fn".into()), "{line}");
        assert_eq!(span["call_id"], call_id);
    }
}
