//! What operators ask: the functions.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};

use super::{FakeGateway, PASSWORD, USER};
use crate::gateway::{DeleteRequest, FunctionDeployment, FunctionStatus, Info, Provider, ScaleRequest, Version};

pub(super) async fn list(State(fake): State<FakeGateway>, headers: HeaderMap) -> Response {
    if let Some(refusal) = fake.check("GET /system/functions", &headers) {
        return refusal;
    }
    Json(fake.kept().functions.values().cloned().collect::<Vec<_>>()).into_response()
}

pub(super) async fn one(State(fake): State<FakeGateway>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    if let Some(refusal) = fake.check(&format!("GET /system/function/{name}"), &headers) {
        return refusal;
    }
    let mut kept = fake.kept();
    let Some(mut function) = kept.functions.get(&name).cloned() else { return StatusCode::NOT_FOUND.into_response() };
    if let Some(left) = kept.unready.get_mut(&name).filter(|left| **left > 0) {
        *left -= 1;
        function.available_replicas = 0;
    }
    Json(function).into_response()
}

pub(super) async fn update(
    State(fake): State<FakeGateway>,
    headers: HeaderMap,
    Json(wanted): Json<FunctionDeployment>,
) -> Response {
    fake.deploy("PUT /system/functions", &headers, wanted, true)
}

pub(super) async fn create(
    State(fake): State<FakeGateway>,
    headers: HeaderMap,
    Json(wanted): Json<FunctionDeployment>,
) -> Response {
    fake.deploy("POST /system/functions", &headers, wanted, false)
}

pub(super) async fn delete(
    State(fake): State<FakeGateway>,
    headers: HeaderMap,
    Json(unwanted): Json<DeleteRequest>,
) -> Response {
    if let Some(refusal) = fake.check("DELETE /system/functions", &headers) {
        return refusal;
    }
    let removed = fake.kept().functions.remove(&unwanted.function_name);
    removed.map_or(StatusCode::NOT_FOUND, |_| StatusCode::ACCEPTED).into_response()
}

pub(super) async fn scale(
    State(fake): State<FakeGateway>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(wanted): Json<ScaleRequest>,
) -> Response {
    if let Some(refusal) = fake.check(&format!("POST /system/scale-function/{name}"), &headers) {
        return refusal;
    }
    let mut kept = fake.kept();
    let Some(function) = kept.functions.get_mut(&name) else { return StatusCode::NOT_FOUND.into_response() };
    (function.replicas, function.available_replicas) = (wanted.replicas, wanted.replicas);
    StatusCode::ACCEPTED.into_response()
}

pub(super) async fn info(State(fake): State<FakeGateway>, headers: HeaderMap) -> Response {
    if let Some(refusal) = fake.check("GET /system/info", &headers) {
        return refusal;
    }
    let version = || Version { sha: "0123456".to_owned(), release: "1.0".to_owned(), commit_message: String::new() };
    let provider = Provider { provider: "fake".to_owned(), orchestration: "memory".to_owned(), version: version() };
    Json(Info { provider, version: version(), arch: "x86_64".to_owned() }).into_response()
}

pub(super) async fn load(State(fake): State<FakeGateway>, headers: HeaderMap) -> Response {
    if let Some(refusal) = fake.check("GET /system/load", &headers) {
        return refusal;
    }
    fake.kept().load.clone().map_or(StatusCode::NOT_FOUND.into_response(), |load| Json(load).into_response())
}

impl FakeGateway {
    fn check(&self, route: &str, headers: &HeaderMap) -> Option<Response> {
        if !is_operator(headers) {
            return Some(StatusCode::UNAUTHORIZED.into_response());
        }
        self.refusal(route).map(IntoResponse::into_response)
    }

    fn deploy(&self, route: &str, headers: &HeaderMap, wanted: FunctionDeployment, update: bool) -> Response {
        if let Some(refusal) = self.check(route, headers) {
            return refusal;
        }
        let mut kept = self.kept();
        if kept.functions.contains_key(&wanted.service) != update {
            let status = if update { StatusCode::NOT_FOUND } else { StatusCode::CONFLICT };
            return status.into_response();
        }
        let polls = kept.polls_until_ready;
        kept.unready.insert(wanted.service.clone(), polls);
        kept.functions.insert(wanted.service.clone(), deployed(wanted));
        StatusCode::ACCEPTED.into_response()
    }
}

/// Whether a call has the operator's credentials.
pub(super) fn is_operator(headers: &HeaderMap) -> bool {
    let right = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}")));
    headers.get(AUTHORIZATION).is_some_and(|given| given == right.as_str())
}

fn deployed(wanted: FunctionDeployment) -> FunctionStatus {
    FunctionStatus {
        name: wanted.service,
        image: wanted.image,
        namespace: wanted.namespace,
        env_process: wanted.env_process,
        env_vars: wanted.env_vars,
        constraints: wanted.constraints,
        secrets: wanted.secrets,
        labels: wanted.labels,
        annotations: wanted.annotations,
        limits: wanted.limits,
        requests: wanted.requests,
        read_only_root_filesystem: wanted.read_only_root_filesystem.unwrap_or(true),
        replicas: 1,
        available_replicas: 1,
        ..FunctionStatus::default()
    }
}
