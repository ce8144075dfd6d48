//! Check runs.

use http::StatusCode;
use serde_json::{Value, json};

use super::routes::{Asked, Reply, created, ok};
use super::{Kept, now};

/// Whose run it is; GitHub shows it in other words.
const OWNER: &str = "_app";

pub(super) fn owned_by(mut run: Value, app: u64) -> Value {
    run[OWNER] = json!(app);
    run
}

/// Takes the fake's own notes out of an answer.
pub(super) fn without_owner(mut body: Value) -> Value {
    let strip = |run: &mut Value| {
        run.as_object_mut().map(|run| run.remove(OWNER));
    };
    match body.get_mut("check_runs").and_then(Value::as_array_mut) {
        Some(runs) => runs.iter_mut().for_each(strip),
        None => strip(&mut body),
    }
    body
}

pub(super) fn make(kept: &mut Kept, asked: &Asked<'_>) -> Reply {
    asked.bearer.may("write", "checks")?;
    let mut run = json!({"id": kept.next_id(), "status": "queued", "conclusion": null, "started_at": now(), "completed_at": null});
    change(&mut run, &asked.body);
    run["head_sha"] = asked.body["head_sha"].clone();
    let run = owned_by(run, asked.bearer.app_id());
    kept.runs.push(run.clone());
    created(run)
}

pub(super) fn update(kept: &mut Kept, asked: &Asked<'_>) -> Reply {
    asked.bearer.may("write", "checks")?;
    let id: u64 = asked.path[4].parse().unwrap_or_default();
    let app = asked.bearer.app_id();
    let run = kept.runs.iter_mut().find(|run| run["id"] == json!(id)).ok_or((StatusCode::NOT_FOUND, "Not Found"))?;
    if run[OWNER] != json!(app) {
        return Err((StatusCode::FORBIDDEN, "Invalid app_id for this check run"));
    }
    change(run, &asked.body);
    ok(run.clone())
}

/// What is said anew replaces what was said; annotations are added to those that are there.
fn change(run: &mut Value, change: &Value) {
    let before = annotations(run);
    for (name, value) in change.as_object().into_iter().flatten() {
        run[name] = value.clone();
    }
    if change["status"].as_str().is_some_and(|status| status != "completed") {
        run["conclusion"] = Value::Null;
        run["completed_at"] = Value::Null;
    } else if change.get("conclusion").is_some() {
        run["status"] = json!("completed");
        if run["completed_at"].is_null() {
            run["completed_at"] = json!(now());
        }
    }
    let added = change["output"]["annotations"].as_array().map_or(0, Vec::len);
    let output = &mut run["output"];
    if output.is_null() {
        *output = json!({"title": null, "summary": null, "text": null});
    }
    output["annotations_count"] = json!(before + added);
    output.as_object_mut().map(|output| output.remove("annotations"));
}

fn annotations(run: &Value) -> usize {
    run["output"]["annotations_count"].as_u64().unwrap_or_default().try_into().unwrap_or_default()
}

/// The newest first, as GitHub lists them; with `filter=latest` (the default) one of each name and App.
pub(super) fn list(kept: &mut Kept, asked: &Asked<'_>) -> Reply {
    asked.bearer.may("write", "checks")?;
    let (sha, name, app) = (asked.path[4], asked.parameter("check_name"), asked.parameter("app_id"));
    let wanted = |run: &&Value| {
        run["head_sha"] == *sha
            && name.is_none_or(|name| run["name"] == *name)
            && app.is_none_or(|app| run[OWNER].as_u64() == app.parse().ok())
    };
    let mut runs: Vec<Value> = kept.runs.iter().rev().filter(wanted).cloned().collect();
    if asked.parameter("filter") != Some("all") {
        let mut seen = std::collections::HashSet::new();
        runs.retain(|run| seen.insert((run["name"].to_string(), run[OWNER].to_string())));
    }
    let total = runs.len();
    runs.truncate(asked.parameter("per_page").and_then(|number| number.parse().ok()).unwrap_or(30));
    ok(json!({"total_count": total, "check_runs": runs}))
}
