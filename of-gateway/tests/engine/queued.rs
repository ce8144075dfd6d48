//! The gateway is killed with calls in its queue.
#![expect(clippy::unwrap_used, reason = "test helper")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::bench::{Bench, SOCKET};
use crate::killed::deploy;
use crate::support::eventually;
use crate::support::nats::NatsServer;
use crate::support::program::Start;

/// What the calls of a test were called back with.
struct Witness {
    url: String,
    seen: Arc<Mutex<HashMap<String, String>>>,
}

impl Witness {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(HashMap::new()));
        let keep = Arc::clone(&seen);
        let take = post(move |headers: HeaderMap| {
            let text = |name: &str| headers[name].to_str().unwrap().to_owned();
            keep.lock().unwrap().insert(text("x-call-id"), text("x-function-status"));
            async {}
        });
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", take)).await });
        Self { url, seen }
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

async fn killed_with_a_thousand_calls_waiting_and_fifty_running(nats: Option<&NatsServer>) {
    let (bench, witness) = (Bench::set_up().await, Witness::start().await);
    let start = async || {
        let mut start = Start::new(bench.dir.path(), SOCKET);
        start.command.env("async_concurrency_per_function", "50").env("callback_hosts", "127.0.0.1");
        // What NATS handed out comes back when its lease is out.
        start.command.env("ack_wait", "3s");
        start.command.envs(nats.map(|nats| ("faas_nats_address", nats.address())));
        start.run().await
    };
    let program = start().await;
    assert_eq!(deploy(&program, &bench.spec("victim")).await, Some(202));
    let call = async |path: &str, id: String| {
        let call = program.http.post(format!("{}/async-function/victim/{path}", program.url));
        let sent = call.header("x-call-id", id).header("x-callback-url", &witness.url).send().await.unwrap();
        assert_eq!(sent.status(), 202);
    };
    for n in 0..50 {
        call("nap/15", format!("runs-{n}")).await;
    }
    for n in 0..1000 {
        call("version", format!("waits-{n}")).await;
    }
    let running = async || {
        let shown: Value =
            program.system(Method::GET, "/system/function/victim").send().await.ok()?.json().await.ok()?;
        (shown["invocationCount"].as_f64()? >= 50.0).then_some(())
    };
    eventually("fifty calls to run", running).await;
    assert_eq!(witness.count(), 0, "none has ended");
    drop(program);
    let program = start().await;
    eventually("all callbacks", async || (witness.count() == 1050).then_some(())).await;
    assert!(witness.seen.lock().unwrap().values().all(|status| status == "200"));
    let letters: Value = program.system(Method::GET, "/system/async/dead").send().await.unwrap().json().await.unwrap();
    assert_eq!(letters, json!([]));
}

#[tokio::test]
async fn calls_in_a_file_survive_the_kill() {
    killed_with_a_thousand_calls_waiting_and_fifty_running(None).await;
}

#[tokio::test]
async fn calls_in_nats_survive_the_kill() {
    killed_with_a_thousand_calls_waiting_and_fifty_running(Some(&NatsServer::start())).await;
}
