//! What a page of the dashboard passes, as `ofc up` has it in one process: the gateway with the dashboard, `pipeline-log`,
//! `list-functions` and `system-metrics`. Only the functions that these two are told of are not there: see `catalogue.rs`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use axum::Router;
use of_gateway::{Config, Gateway, PlatformFunction};
use openfaas_runtime::{Env, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::catalogue::catalogue;
use super::webhooks::{block_on, listen};
use crate::child::allow_many_files;

/// Both the server and who asks it know it.
pub(crate) const PAYLOAD_SECRET: &str = "bench-payload-secret";

/// Runs the gateway with the dashboard in it until killed.
pub(crate) fn dashboard() -> ExitCode {
    block_on(async {
        // As ofc does.
        allow_many_files()?;
        let env = Env::from_process();
        let directory = env.var("bench_directory").context("bench_directory is not set")?.to_owned();
        let listener = listen(&env).await?;
        let address = format!("http://{}", listener.local_addr()?);
        let functions = TcpListener::bind("127.0.0.1:0").await?;
        let listed_at = format!("http://{}", functions.local_addr()?);
        tokio::spawn(axum::serve(functions, catalogue()).into_future());
        let mut config = Config::new(&directory, "admin", SecretString::from("admin"));
        // No function here is a container.
        config.engine = format!("unix://{directory}/no-engine.sock");
        let gateway = Gateway::start(config).await?;
        for (name, router) in routers(&address, &listed_at, &directory)? {
            gateway.mount(PlatformFunction::new(name, router))?;
        }
        eprintln!("serving");
        gateway.serve(listener, CancellationToken::new()).await
    })
}

fn routers(gateway: &str, listed_at: &str, directory: &str) -> Result<[(&'static str, Router); 4]> {
    let logs = format!("{directory}/logs");
    let env = |gateway: &str| {
        let vars = [
            ("gateway_url", gateway),
            ("gateway_pretty_url", "https://user.bench.example.com/function"),
            ("log_directory", &logs),
        ];
        let secrets =
            [("payload-secret", PAYLOAD_SECRET), ("basic-auth-user", "admin"), ("basic-auth-password", "admin")];
        Env::from_map(vars, secrets)
    };
    Ok([
        ("system-dashboard", system_dashboard::router(&env(gateway))?),
        ("pipeline-log", pipeline_log::router(&env(gateway))?),
        ("list-functions", list_functions::router(&env(listed_at))?),
        ("system-metrics", system_metrics::router(&env(listed_at))?),
    ])
}
