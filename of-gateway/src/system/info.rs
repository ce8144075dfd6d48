//! `/system/info`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use sdk::gateway::{Info, Provider, Version};

use crate::app::App;

/// Show the versions of the gateway and of what runs the functions.
#[utoipa::path(
    get,
    path = "/info",
    operation_id = "GetSystemInfo",
    tag = "system",
    responses((status = 200, description = "The versions.", body = Info))
)]
pub(crate) async fn info(State(app): State<Arc<App>>) -> Json<Info> {
    // What the gateway is, is known without the engine.
    let engine = app.engine.version().await.unwrap_or("unreachable").to_owned();
    Json(Info {
        provider: Provider {
            provider: "of-gateway".to_owned(),
            orchestration: "docker".to_owned(),
            version: version(engine),
        },
        version: version(env!("CARGO_PKG_VERSION").to_owned()),
        arch: std::env::consts::ARCH.to_owned(),
    })
}

fn version(release: String) -> Version {
    Version { sha: String::new(), release, commit_message: String::new() }
}
