//! Greets whoever calls, by name.

use axum::Router;
use axum::extract::{Query, State};
use openfaas_runtime::{ConfigError, Env};
use serde::Deserialize;

/// No name is longer than this, whatever the caller says.
const LONGEST_NAME: usize = 100;

#[derive(Deserialize)]
struct Caller {
    name: Option<String>,
}

/// Serves `GET /?name=Ada`; the word of greeting is the variable `greeting`.
pub fn router(env: &Env) -> Result<Router, ConfigError> {
    let greeting = env.var("greeting").unwrap_or("Hello").to_owned();
    Ok(Router::new().fallback(greet).with_state(greeting))
}

async fn greet(State(greeting): State<String>, Query(caller): Query<Caller>) -> String {
    let name = caller
        .name
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .unwrap_or("world");
    let name: String = name.chars().take(LONGEST_NAME).collect();
    format!("{greeting}, {name}!\n")
}
