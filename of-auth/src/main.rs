//! The sign-in service as a program of its own.

use anyhow::Context;
use of_auth::Config;
use sdk::Env;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).init();
    let env = Env::from_process();
    let config = Config::from_env(&env).await?;
    let address = env.var("listen_address").unwrap_or("127.0.0.1:8084").to_owned();
    let listener = TcpListener::bind(&address).await.with_context(|| format!("could not listen on {address}"))?;
    tracing::info!(address, "of-auth is signing people in");
    of_auth::serve(config, listener, sdk::shutdown::on_signal()?).await
}
