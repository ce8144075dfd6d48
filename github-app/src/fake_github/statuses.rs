//! Commit statuses.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::Kept;
use super::routes::{Asked, Reply, created, ok};

const SHA: &str = "_sha";

pub(super) fn make(kept: &mut Kept, asked: &Asked<'_>) -> Reply {
    asked.bearer.may("write", "statuses")?;
    let mut status = asked.body.clone();
    status["id"] = json!(kept.next_id());
    let shown = status.clone();
    status[SHA] = json!(asked.path[4]);
    kept.statuses.push(status);
    created(shown)
}

/// The latest status of each context.
pub(super) fn combined(kept: &mut Kept, asked: &Asked<'_>) -> Reply {
    asked.bearer.may("write", "statuses")?;
    let sha = asked.path[4];
    let mut seen = HashSet::new();
    let latest =
        kept.statuses.iter().rev().filter(|status| status[SHA] == *sha && seen.insert(status["context"].to_string()));
    let latest: Vec<Value> = latest.cloned().map(shown).collect();
    let all_well = latest.iter().all(|status| status["state"] == "success");
    let state = if all_well && !latest.is_empty() { "success" } else { "pending" };
    ok(json!({"state": state, "sha": sha, "total_count": latest.len(), "statuses": latest}))
}

fn shown(mut status: Value) -> Value {
    status.as_object_mut().map(|status| status.remove(SHA));
    status
}
