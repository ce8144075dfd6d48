//! The servers that are measured against each other, each answering every request with its body or `hello`.

pub(crate) mod containers;
pub(crate) mod webhooks;

use std::convert::Infallible;
use std::process::{ExitCode, Stdio};

use anyhow::Result;
use axum::Router;
use axum::routing::get;
use clap::ValueEnum;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use openfaas_runtime::{ConfigError, Env};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

/// A server of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Server {
    /// A function on the Rust template.
    Template,
    /// hyper and nothing else.
    Hyper,
    /// A process for each request, as under the classic watchdog. It starts `cat`, a lighter program than any
    /// function of the original.
    Fork,
    /// The gateway with `github-event`.
    Gateway,
    /// The gateway with a container engine.
    Containers,
    /// A check of webhook signatures and nothing else.
    Verifier,
}

impl Server {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Hyper => "hyper",
            Self::Fork => "fork",
            Self::Gateway => "gateway",
            Self::Containers => "containers",
            Self::Verifier => "verifier",
        }
    }

    /// What it reads from its environment.
    pub(crate) fn environment(self, port: u16) -> Vec<(&'static str, String)> {
        let common = ("port", port.to_string());
        match self {
            Self::Template => {
                vec![common, ("metrics_port", "0".to_owned()), ("suppress_lock", "true".to_owned())]
            }
            _ => vec![common],
        }
    }

    /// Serves until it is killed.
    pub(crate) fn run(self) -> ExitCode {
        match self {
            Self::Template => openfaas_runtime::run(router),
            Self::Hyper => serve(|request| async move { answer(request).await }),
            Self::Fork => serve(|request| async move { fork(request).await.unwrap_or_default() }),
            Self::Gateway => webhooks::gateway(),
            Self::Containers => containers::gateway(),
            Self::Verifier => webhooks::verifier(),
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
