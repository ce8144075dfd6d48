use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use http::header::CONNECTION;
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::bench::{Bench, SOCKET};
use crate::support::eventually;
use crate::support::program::{Program, READY, Start};

#[expect(clippy::unwrap_used, reason = "test helper")]
async fn deployed(program: &Program, spec: &Value) {
    let response = program.system(Method::POST, "/system/functions").json(spec).send().await.unwrap();
    assert_eq!(response.status(), 202);
}

/// So many calls are open at once. Those that came during a restart reach the function together, and what its server
/// does not let wait (128 connections) is its own limit and not the gateway's.
const MOST_OPEN: usize = 64;

/// Calls that go on and on: on new connections at up to 200 a second, and one after the other on kept ones.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    calls: JoinSet<Result<(), String>>,
}

impl Load {
    fn start(url: &str) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut calls = JoinSet::new();
        let http = sdk::http::client();
        for kept in [true, true, false] {
            let (stop, answered, url, http) = (Arc::clone(&stop), Arc::clone(&answered), url.to_owned(), http.clone());
            let most = if kept { 1 } else { MOST_OPEN };
            calls.spawn(async move {
                let mut open = JoinSet::new();
                let mut rate = tokio::time::interval(Duration::from_millis(5));
                while !stop.load(Ordering::Relaxed) {
                    rate.tick().await;
                    let request = http.get(&url);
                    let call = call(if kept { request } else { request.header(CONNECTION, "close") });
                    let answered = Arc::clone(&answered);
                    open.spawn(async move {
                        call.await?;
                        answered.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    });
                    while open.len() >= most
                        && let Some(ended) = open.join_next().await
                    {
                        ended.map_err(|error| error.to_string())??;
                    }
                }
                open.join_all().await.into_iter().collect()
            });
        }
        Self { stop, answered, calls }
    }

    /// How many calls were answered, if all were.
    async fn end(self) -> Result<usize, String> {
        self.stop.store(true, Ordering::Relaxed);
        self.calls.join_all().await.into_iter().collect::<Result<(), _>>()?;
        Ok(self.answered.load(Ordering::Relaxed))
    }
}

async fn call(request: reqwest::RequestBuilder) -> Result<(), String> {
    let response = request.send().await.map_err(|error| format!("{error:?}"))?;
    let status = response.status();
    let text = response.text().await.map_err(|error| format!("{error:?}"))?;
    if status == 200 && text == "one" { Ok(()) } else { Err(format!("{status}: {text}")) }
}

#[tokio::test]
async fn no_call_is_lost_over_restarts() {
    let bench = Bench::set_up().await;
    let mut program = Start::new(bench.dir.path(), SOCKET).run().await;
    deployed(&program, &bench.spec("busy")).await;
    let load = Load::start(&format!("{}/function/busy/version", program.url));
    for times in 1..=4 {
        let before = load.answered.load(Ordering::Relaxed);
        eventually("some answers", async || (load.answered.load(Ordering::Relaxed) > before + 100).then_some(())).await;
        let slow = program.http.get(format!("{}/function/busy/slow", program.url));
        let slow = (times % 2 == 0).then(|| tokio::spawn(slow.send()));
        program.signal(Signal::SIGUSR2);
        program.says(READY, times + 1).await;
        if let Some(slow) = slow {
            assert_eq!(slow.await.unwrap().unwrap().status(), 200, "a call under way ends");
        }
    }
    let answered = load.end().await.unwrap_or_else(|error| panic!("{error}; the gateway's log:\n{}", program.log()));
    assert!(answered > 500, "{answered}");
}

#[tokio::test]
async fn queued_calls_survive_a_restart() {
    let bench = Bench::set_up().await;
    let mut start = Start::new(bench.dir.path(), SOCKET);
    start.command.env("async_concurrency_per_function", "1");
    let mut program = start.run().await;
    deployed(&program, &bench.spec("queued")).await;
    let paths = std::iter::once("slow".to_owned()).chain((0..20).map(|n| format!("log/call-{n:02}")));
    for path in paths {
        let call = program.http.post(format!("{}/async-function/queued/{path}", program.url)).send().await.unwrap();
        assert_eq!(call.status(), 202);
    }
    program.signal(Signal::SIGUSR2);
    program.says(READY, 2).await;
    let all = async || {
        let log = program.system(Method::GET, "/system/logs?name=queued").send().await.ok()?.text().await.ok()?;
        (0..20).all(|n| log.contains(&format!("call-{n:02}"))).then_some(())
    };
    eventually("all queued calls to be made", all).await;
}

#[expect(clippy::unwrap_used, reason = "test helper")]
/// A function that is under way calls another one when the gateway has begun to restart.
async fn calls_within_calls(program: &mut Program, bench: &Bench, inside: &str) {
    for name in ["outer", "inner"] {
        deployed(program, &bench.spec(name)).await;
    }
    let within = format!("{}/function/outer/later/2/GET/gateway.openfaas:{inside}/function/inner/version", program.url);
    for times in 1..=2 {
        let call = tokio::spawn(program.http.get(&within).send());
        let under_way = async || {
            let shown = program.system(Method::GET, "/system/function/outer").send().await.ok()?;
            let shown: Value = shown.json().await.ok()?;
            (shown["invocationCount"].as_f64()? >= 1.0).then_some(())
        };
        eventually("the outer call to be under way", under_way).await;
        let began = Instant::now();
        program.signal(Signal::SIGUSR2);
        program.says(READY, times + 1).await;
        assert!(began.elapsed() < Duration::from_secs(12), "the restart did not wait in vain");
        assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "200 one");
    }
}

#[tokio::test]
async fn a_call_under_way_may_call_another_function_during_a_restart() {
    let bench = Bench::set_up().await;
    let mut program = Start::new(bench.dir.path(), SOCKET).run().await;
    calls_within_calls(&mut program, &bench, "8080").await;
}

#[tokio::test]
async fn that_holds_too_where_functions_and_all_others_share_the_port() {
    let bench = Bench::set_up().await;
    let free = std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_of-gateway"));
    command.args(["--listen", &format!("0.0.0.0:{free}"), "--metrics-listen", "off"]).env("inside_port", &free);
    let mut program = Start::by(command, bench.dir.path(), SOCKET).run().await;
    program.url = format!("http://127.0.0.1:{free}");
    calls_within_calls(&mut program, &bench, &free).await;
}
