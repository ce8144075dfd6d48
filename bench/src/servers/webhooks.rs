//! What a webhook passes on its way: the gateway, `github-event` and the durable queue; and the peer, which only
//! checks the signature.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use of_gateway::{Config, Gateway, PlatformFunction};
use openfaas_runtime::{Env, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Both servers and the load know it.
pub(crate) const SECRET: &str = "bench-webhook-secret";
/// Who pushes.
pub(crate) const OWNER: &str = "alice";
/// The function that counts what the queue delivers.
pub(crate) const SINK: &str = "github-push";

/// Runs the gateway with `github-event` in it until killed.
pub(crate) fn gateway() -> ExitCode {
    block_on(async {
        let env = Env::from_process();
        let directory = env.var("bench_directory").context("bench_directory is not set")?.to_owned();
        let listener = listen(&env).await?;
        let address = format!("http://{}", listener.local_addr()?);
        let mut config = Config::new(&directory, "admin", SecretString::from("admin"));
        // No function here is a container.
        config.engine = format!("unix://{directory}/no-engine.sock");
        let gateway = Gateway::start(config).await?;
        gateway.mount(PlatformFunction::new("github-event", github_event(&address, &directory)?))?;
        gateway.mount(PlatformFunction::new(SINK, sink()))?;
        eprintln!("serving");
        gateway.serve(listener, CancellationToken::new()).await
    })
}

fn github_event(gateway: &str, directory: &str) -> Result<Router> {
    let customers = format!("{directory}/customers");
    std::fs::write(&customers, OWNER)?;
    let vars = [("gateway_url", gateway), ("customers_path", &customers)];
    let secrets = [("payload-secret", "bench-payload-secret"), ("github-webhook-secret", SECRET)];
    Ok(github_event::router(&Env::from_map(vars, secrets))?)
}

/// Counts what arrives, and tells at `/count`.
fn sink() -> Router {
    let count = Arc::new(AtomicU64::new(0));
    async fn take(State(count): State<Arc<AtomicU64>>) {
        count.fetch_add(1, Ordering::Relaxed);
    }
    async fn tell(State(count): State<Arc<AtomicU64>>) -> String {
        count.load(Ordering::Relaxed).to_string()
    }
    Router::new().route("/", post(take)).route("/count", get(tell)).with_state(count)
}

/// Checks signatures and forgets what it was told, until killed.
pub(crate) fn verifier() -> ExitCode {
    async fn check(headers: HeaderMap, body: Bytes) -> StatusCode {
        let header = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let right = sdk::signing::sha256_header_is_right(&SecretString::from(SECRET), header, &body);
        if right { StatusCode::ACCEPTED } else { StatusCode::UNAUTHORIZED }
    }
    block_on(async {
        let listener = listen(&Env::from_process()).await?;
        eprintln!("serving");
        axum::serve(listener, Router::new().fallback(post(check))).await.context("cannot serve")
    })
}

pub(super) async fn listen(env: &Env) -> Result<TcpListener> {
    let port: u16 = env.var("port").unwrap_or("0").parse()?;
    TcpListener::bind(("127.0.0.1", port)).await.context("cannot listen")
}

pub(super) fn block_on(work: impl Future<Output = Result<()>>) -> ExitCode {
    match tokio::runtime::Runtime::new().map_err(Into::into).and_then(|runtime| runtime.block_on(work)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
