//! Environments and deployments.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{FakeGitlab, bad, check, not_found};

const STATUSES: [&str; 4] = ["running", "success", "failed", "canceled"];

pub(super) async fn environments(
    State(fake): State<FakeGitlab>,
    Path(id): Path<u64>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let known = ["name", "search", "states", "page", "per_page"];
    if query.keys().any(|name| !known.contains(&name.as_str())) {
        return bad("an unknown parameter");
    }
    let kept = fake.kept();
    let of_project = |found: &&Value| found["project"] == id;
    let named = |found: &&Value| query.get("name").is_none_or(|name| found["name"] == **name);
    Json(kept.environments.iter().filter(of_project).filter(named).cloned().collect::<Vec<_>>()).into_response()
}

pub(super) async fn add_environment(
    State(fake): State<FakeGitlab>,
    Path(id): Path<u64>,
    Json(wanted): Json<Value>,
) -> Response {
    let mut kept = fake.kept();
    if !kept.projects.contains_key(&id) {
        return not_found("Project");
    }
    if let Err(refusal) = check(&wanted, &["name"], &["description", "external_url", "tier"]) {
        return *refusal;
    }
    if kept.environments.iter().any(|found| found["project"] == id && found["name"] == wanted["name"]) {
        return (StatusCode::BAD_REQUEST, Json(json!({"message": {"name": ["has already been taken"]}})))
            .into_response();
    }
    let mut environment = wanted;
    environment["id"] = json!(kept.environments.len() + 1);
    environment["project"] = json!(id);
    kept.environments.push(environment.clone());
    (StatusCode::CREATED, Json(environment)).into_response()
}

pub(super) async fn change_environment(
    State(fake): State<FakeGitlab>,
    Path((id, number)): Path<(u64, u64)>,
    Json(wanted): Json<Value>,
) -> Response {
    if let Err(refusal) = check(&wanted, &[], &["description", "external_url", "tier"]) {
        return *refusal;
    }
    let mut kept = fake.kept();
    let found = kept.environments.iter_mut().find(|found| found["project"] == id && found["id"] == number);
    let Some(environment) = found else { return not_found("Environment") };
    environment["external_url"] = wanted["external_url"].clone();
    Json(environment.clone()).into_response()
}

pub(super) async fn list(
    State(fake): State<FakeGitlab>,
    Path(id): Path<u64>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let known = ["order_by", "sort", "updated_after", "updated_before", "environment", "status", "page", "per_page"];
    if query.keys().any(|name| !known.contains(&name.as_str())) {
        return bad("an unknown parameter");
    }
    let kept = fake.kept();
    let says = |field: &str, found: &Value| query.get(field).is_none_or(|wanted| found[field] == **wanted);
    let mut found: Vec<Value> = kept.deployments.iter().filter(|found| found["project"] == id).cloned().collect();
    found.retain(|found| says("environment", found) && says("status", found));
    if query.get("sort").is_some_and(|sort| sort == "desc") {
        found.reverse();
    }
    found.truncate(query.get("per_page").and_then(|count| count.parse().ok()).unwrap_or(20));
    Json(found).into_response()
}

pub(super) async fn add(State(fake): State<FakeGitlab>, Path(id): Path<u64>, Json(wanted): Json<Value>) -> Response {
    let mut kept = fake.kept();
    if !kept.projects.contains_key(&id) {
        return not_found("Project");
    }
    if let Err(refusal) = check(&wanted, &["environment", "sha", "ref", "tag", "status"], &[]) {
        return *refusal;
    }
    if !wanted["tag"].is_boolean() || !is_status(&wanted) {
        return bad("status does not have a valid value");
    }
    let known = |found: &Value| found["project"] == id && found["name"] == wanted["environment"];
    if !kept.environments.iter().any(known) {
        let number = kept.environments.len() + 1;
        kept.environments.push(json!({"id": number, "project": id, "name": wanted["environment"]}));
    }
    let mut deployment = wanted;
    deployment["id"] = json!(kept.deployments.len() + 1);
    deployment["project"] = json!(id);
    kept.deployments.push(deployment.clone());
    (StatusCode::CREATED, Json(deployment)).into_response()
}

pub(super) async fn change(
    State(fake): State<FakeGitlab>,
    Path((id, number)): Path<(u64, u64)>,
    Json(wanted): Json<Value>,
) -> Response {
    if let Err(refusal) = check(&wanted, &["status"], &[]) {
        return *refusal;
    }
    if !is_status(&wanted) {
        return bad("status does not have a valid value");
    }
    let mut kept = fake.kept();
    let found = kept.deployments.iter_mut().find(|found| found["project"] == id && found["id"] == number);
    let Some(deployment) = found else { return not_found("Deployment") };
    if deployment["status"] == wanted["status"] {
        return bad("Status cannot transition");
    }
    deployment["status"] = wanted["status"].clone();
    Json(deployment.clone()).into_response()
}

fn is_status(body: &Value) -> bool {
    body["status"].as_str().is_some_and(|status| STATUSES.contains(&status))
}
