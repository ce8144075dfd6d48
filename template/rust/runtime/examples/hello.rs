//! The smallest function: what the tests start and `bench` measures.

use std::process::ExitCode;

use axum::Router;
use axum::routing::get;
use openfaas_runtime::{ConfigError, Env};

fn router(env: &Env) -> Result<Router, ConfigError> {
    let reader = env.reader();
    let greeting = reader.or("greeting", "hello".to_owned());
    let times = reader.or("times", 1_usize);
    reader.finish()?;
    let greeting = bytes::Bytes::from(greeting?.repeat(times?));
    Ok(Router::new()
        .route("/log", get(|| async { tracing::info!(step = 1, "working") }))
        .route("/", get(move || std::future::ready(greeting.clone())))
        .route(
            "/panic",
            get(|| async {
                if true {
                    panic!("asked to")
                }
            }),
        ))
}

fn main() -> ExitCode {
    openfaas_runtime::run(router)
}
