//! Deployments and how they go.

use http::StatusCode;
use serde_json::{Value, json};

use super::routes::{Asked, Reply, created, ok};
use super::{Kept, now};

pub(super) fn make(kept: &mut Kept, asked: &Asked<'_>) -> Reply {
    asked.bearer.may("write", "deployments")?;
    let mut made = asked.body.clone();
    made["id"] = json!(kept.next_id());
    // Everybody here deploys commits, not branches.
    made["sha"] = made["ref"].clone();
    made["created_at"] = json!(now());
    kept.deployments.push(made.clone());
    created(shown(&made))
}

/// The newest first.
pub(super) fn list(kept: &mut Kept, asked: &Asked<'_>) -> Reply {
    asked.bearer.may("write", "deployments")?;
    let wanted = |made: &&Value| {
        ["sha", "ref", "task", "environment"]
            .iter()
            .all(|name| asked.parameter(name).is_none_or(|given| made[*name] == *given))
    };
    ok(kept.deployments.iter().rev().filter(wanted).map(shown).collect())
}

fn shown(made: &Value) -> Value {
    let names = ["id", "sha", "ref", "task", "environment", "description", "created_at"];
    names.iter().map(|name| ((*name).to_owned(), made[*name].clone())).collect()
}

pub(super) fn say(kept: &mut Kept, asked: &Asked<'_>) -> Reply {
    asked.bearer.may("write", "deployments")?;
    let id: u64 = asked.path[4].parse().unwrap_or_default();
    if !kept.deployments.iter().any(|made| made["id"] == json!(id)) {
        return Err((StatusCode::NOT_FOUND, "Not Found"));
    }
    let mut status = asked.body.clone();
    status["id"] = json!(kept.next_id());
    status["created_at"] = json!(now());
    kept.deployment_statuses.push((id, status.clone()));
    status.as_object_mut().map(|status| status.remove("auto_inactive"));
    created(status)
}
