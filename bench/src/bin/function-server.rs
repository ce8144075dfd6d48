//! A function on the Rust template, and what it is measured against: `function-server template|hyper|fork|count|sink`.
//!
//! A program of its own: within the benchmark's, which has every service in it, a function's memory would be measured
//! together with theirs.

use std::collections::HashSet;
use std::convert::Infallible;
use std::process::{ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use openfaas_runtime::{ConfigError, Env};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

fn main() -> ExitCode {
    let env = Env::from_process();
    // A container is told by its environment, as all containers have one image.
    let mode = std::env::args().nth(1).or_else(|| env.var("mode").map(str::to_owned));
    match mode.as_deref() {
        Some("template") => openfaas_runtime::run(router),
        Some("hyper") => hello(&env),
        // As under the classic watchdog. `cat` is a lighter program than any function of the original.
        Some("fork") => serve(&env, |request| async move { fork(request).await.unwrap_or_default() }),
        Some("count") => count(&env),
        Some("sink") => serve(&env, |request| async move { sink(request.into_body()).await }),
        _ => {
            eprintln!("usage: function-server template|hyper|fork|count|sink");
            ExitCode::from(2)
        }
    }
}

fn router(_: &Env) -> Result<Router, ConfigError> {
    Ok(Router::new().route("/", get(|| async { "hello" })))
}

/// Says the same to everybody: what `answer` says, after as many milliseconds as `work` says.
fn hello(env: &Env) -> ExitCode {
    let answer = Bytes::from(env.var("answer").unwrap_or("hello").to_owned());
    let work = env.var("work").and_then(|text| text.parse().ok()).map(Duration::from_millis);
    serve(env, move |_| {
        let answer = answer.clone();
        async move {
            if let Some(work) = work {
                tokio::time::sleep(work).await;
            }
            Response::new(Full::new(answer))
        }
    })
}

/// Which messages came, and how many times one came in all.
#[derive(Default)]
struct Seen {
    numbers: HashSet<u64>,
    calls: u64,
}

/// Remembers the number that each POST's body begins with; GET answers with `different all`.
fn count(env: &Env) -> ExitCode {
    let seen = Arc::new(Mutex::new(Seen::default()));
    serve(env, move |request| {
        let seen = Arc::clone(&seen);
        async move {
            let told = request.method() == Method::POST;
            let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if told {
                let Some(number) = number(&body) else { return refused() };
                seen.calls += 1;
                seen.numbers.insert(number);
            }
            Response::new(Full::new(Bytes::from(format!("{} {}", seen.numbers.len(), seen.calls))))
        }
    })
}

fn number(body: &[u8]) -> Option<u64> {
    std::str::from_utf8(body).ok()?.split_whitespace().next()?.parse().ok()
}

fn refused() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"the body begins with no number")));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// Reads a body without keeping it, and says how long it was.
async fn sink(mut body: Incoming) -> Response<Full<Bytes>> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return refused() };
        length += frame.data_ref().map_or(0, Bytes::len);
    }
    Response::new(Full::new(Bytes::from(length.to_string())))
}

fn serve<F, R>(env: &Env, handler: F) -> ExitCode
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send,
{
    let served = tokio::runtime::Runtime::new().context("no runtime");
    match served.and_then(|runtime| runtime.block_on(accept(env, handler))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn accept<F, R>(env: &Env, handler: F) -> Result<()>
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send,
{
    let port: u16 = env.var("port").unwrap_or("0").parse()?;
    // In a container it is reached from outside.
    let listener = TcpListener::bind((env.var("host").unwrap_or("127.0.0.1"), port)).await?;
    eprintln!("serving");
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let handler = handler.clone();
        let service = service_fn(move |request| {
            let answer = handler(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn fork(request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let body = request.into_body().collect().await?.to_bytes();
    let mut child = tokio::process::Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(&body).await?;
    }
    let output = child.wait_with_output().await?;
    Ok(Response::new(Full::new(output.stdout.into())))
}
