//! The image builder as a service of its own.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use sdk::Env;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Whoever installed a provider before us chose the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let env = Env::from_process();
    start_logging(&env);
    let config = of_builder::Config::from_env(&env)?;
    let address = env.var("listen_address").unwrap_or("0.0.0.0:8080");
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!(address = %listener.local_addr()?, engine = config.docker_host, "the builder accepts builds");
    of_builder::serve(config, listener, sdk::shutdown::on_signal()?).await
}

fn start_logging(env: &Env) {
    let filter = EnvFilter::new(env.var("RUST_LOG").unwrap_or("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        logs.init();
    } else {
        logs.json().init();
    }
}
