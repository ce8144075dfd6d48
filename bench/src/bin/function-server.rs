//! A function on the Rust template, and what it is measured against: `function-server template|hyper|fork`.
//!
//! A program of its own: within the benchmark's, which has every service in it, a function's memory would be measured
//! together with theirs.

use std::convert::Infallible;
use std::process::{ExitCode, Stdio};

use anyhow::Result;
use axum::Router;
use axum::routing::get;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use openfaas_runtime::{ConfigError, Env};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("template") => openfaas_runtime::run(router),
        Some("hyper") => serve(|request| async move { answer(request).await }),
        // As under the classic watchdog. `cat` is a lighter program than any function of the original.
        Some("fork") => serve(|request| async move { fork(request).await.unwrap_or_default() }),
        _ => {
            eprintln!("usage: function-server template|hyper|fork");
            ExitCode::from(2)
        }
    }
}

fn router(_: &Env) -> Result<Router, ConfigError> {
    Ok(Router::new().route("/", get(|| async { "hello" })))
}

fn serve<F, R>(handler: F) -> ExitCode
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send,
{
    match tokio::runtime::Runtime::new().map(|runtime| runtime.block_on(accept(handler))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

async fn accept<F, R>(handler: F) -> Result<()>
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send,
{
    let env = Env::from_process();
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

async fn answer(_: Request<Incoming>) -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::from_static(b"hello")))
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
