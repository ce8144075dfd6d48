//! Commit statuses and the transitions that they may make.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{FakeGitlab, bad, check, not_found};

const OPTIONAL: [&str; 7] = ["ref", "name", "context", "target_url", "description", "coverage", "pipeline_id"];
/// The longest target URL and description.
const MAX_TEXT: usize = 255;

/// What statuses are jobs of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pipeline {
    id: u64,
    project: u64,
    sha: String,
    branch: String,
}

pub(super) fn start(pipelines: &mut Vec<Pipeline>, project: u64, sha: &str, branch: &str) -> u64 {
    let id = 1000 + pipelines.len() as u64;
    pipelines.push(Pipeline { id, project, sha: sha.to_owned(), branch: branch.to_owned() });
    id
}

pub(super) fn remove(pipelines: &mut [Pipeline], id: u64) {
    // It keeps its place, so that its number is not given again.
    for pipeline in pipelines.iter_mut().filter(|pipeline| pipeline.id == id) {
        pipeline.sha.clear();
    }
}

/// The wanted pipeline, or the newest of the commit and branch, or a new one.
fn pipeline(pipelines: &mut Vec<Pipeline>, project: u64, sha: &str, wanted: &Value) -> Option<u64> {
    let branch = wanted["ref"].as_str().unwrap_or("main");
    let is = |found: &&Pipeline| found.project == project && found.sha == sha && found.branch == branch;
    let newest = |id: Option<u64>| pipelines.iter().rev().filter(is).find(|found| id.is_none_or(|id| found.id == id));
    match (newest(wanted["pipeline_id"].as_u64()), wanted["pipeline_id"].is_null()) {
        (Some(found), _) => Some(found.id),
        (None, true) => Some(start(pipelines, project, sha, branch)),
        (None, false) => None,
    }
}

pub(super) async fn post(
    State(fake): State<FakeGitlab>,
    Path((id, sha)): Path<(u64, String)>,
    Json(wanted): Json<Value>,
) -> Response {
    let mut kept = fake.kept();
    let Some(project) = kept.projects.get(&id) else { return not_found("Project") };
    if let Err(refusal) = check(&wanted, &["state"], &OPTIONAL) {
        return *refusal;
    }
    let too_long = |field: &str| wanted[field].as_str().is_some_and(|text| text.chars().count() > MAX_TEXT);
    if too_long("target_url") || too_long("description") {
        return bad("is too long (maximum is 255 characters)");
    }
    let name = wanted["name"].as_str().or(wanted["context"].as_str()).unwrap_or("default").to_owned();
    if project.jobs.contains(&name) {
        return (StatusCode::BAD_REQUEST, Json(json!({"message": {"name": ["has already been taken"]}})))
            .into_response();
    }
    let Some(pipeline) = pipeline(&mut kept.pipelines, id, &sha, &wanted) else {
        return not_found("Pipeline for pipeline_id, sha and ref");
    };
    let same = |status: &&mut Value| {
        status["pipeline_id"] == pipeline
            && status["project"] == id
            && status["sha"] == *sha
            && status["name"] == *name
            && status["ref"] == wanted["ref"]
    };
    let open = |status: &&mut Value| matches!(status["status"].as_str(), Some("pending" | "running"));
    let number = kept.statuses.len() + 1;
    let found = kept.statuses.iter_mut().filter(same).find(open);
    let from = found.as_ref().and_then(|status| status["status"].as_str()).unwrap_or("created").to_owned();
    let to = match transition(&from, wanted["state"].as_str().unwrap_or_default()) {
        Ok(to) => to,
        Err(complaint) => return bad(&complaint),
    };
    let mut status = found.map_or_else(
        || json!({"id": number, "pipeline_id": pipeline, "project": id, "sha": sha, "name": name}),
        |s| s.clone(),
    );
    for field in ["ref", "target_url", "description"] {
        if !wanted[field].is_null() {
            status[field] = wanted[field].clone();
        }
    }
    status["status"] = json!(to);
    let seen = status["history"].as_str().map(|seen| format!("{seen} ")).unwrap_or_default();
    status["history"] = json!(format!("{seen}{to}"));
    match kept.statuses.iter_mut().find(|known| known["id"] == status["id"]) {
        Some(known) => *known = status.clone(),
        None => kept.statuses.push(status.clone()),
    }
    (StatusCode::CREATED, Json(status)).into_response()
}

/// GitLab's rules, and its words where they are broken.
fn transition(from: &str, wanted: &str) -> Result<&'static str, String> {
    let (event, sources, to): (_, &[&str], _) = match wanted {
        "pending" => ("enqueue", &["created"], "pending"),
        "running" => ("run", &["created", "pending"], "running"),
        "success" => ("success", &["created", "pending", "running"], "success"),
        "failed" => ("drop", &["created", "pending", "running"], "failed"),
        "canceled" => ("cancel", &["created", "pending", "running"], "canceled"),
        "skipped" => ("skip", &["created", "pending"], "skipped"),
        _ => return Err("state does not have a valid value".to_owned()),
    };
    if sources.contains(&from) {
        return Ok(to);
    }
    Err(format!(
        "Cannot transition status via :{event} from :{from} (Reason(s): Status cannot transition via \"{event}\")"
    ))
}
