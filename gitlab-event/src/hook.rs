//! GitLab's webhooks: system hooks, which an administrator makes for the whole instance, and the hooks of projects and
//! groups. They spell the same events differently; as little of them as is needed is read, and turned at once into
//! this project's own terms.

use std::borrow::Cow;

use http::HeaderMap;
use sdk::webhook::Malformed;
use sdk::webhook::payload::{self, branch_name, field, is_zero, number, shown};
use serde::Deserialize;

use crate::notice::{Notice, What};
use crate::refusal::Refusal;

const HEADER: &str = "x-gitlab-event";
const BRANCHES: &str = "refs/heads/";
const MAX_SHOWN: usize = 255;
const MAX_ACTOR: usize = 100;

/// What a webhook comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// To be confirmed, and acted on.
    Notice(Box<Notice>),
    /// Nothing that concerns this platform; the sentence says why.
    Nothing(String),
}

/// Which event it is.
#[derive(Deserialize)]
struct Kind<'a> {
    /// In all hooks of projects and groups, and in some system hooks.
    #[serde(borrow)]
    object_kind: Option<Cow<'a, str>>,
    /// In system hooks, in groups' hooks about projects, and since GitLab 15 in pushes of all.
    #[serde(borrow)]
    event_name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Push<'a> {
    #[serde(rename = "ref", borrow)]
    reference: Cow<'a, str>,
    #[serde(borrow)]
    after: Cow<'a, str>,
    project_id: u64,
    #[serde(borrow)]
    user_username: Option<Cow<'a, str>>,
    #[serde(borrow)]
    project: PushedProject<'a>,
}

#[derive(Deserialize)]
struct PushedProject<'a> {
    id: Option<u64>,
    #[serde(borrow)]
    path_with_namespace: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ProjectEvent<'a> {
    project_id: u64,
    #[serde(borrow)]
    path_with_namespace: Cow<'a, str>,
    #[serde(borrow)]
    old_path_with_namespace: Option<Cow<'a, str>>,
}

/// Reads a webhook whose token is right.
pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Seen, Refusal> {
    let header = headers.get(HEADER).and_then(|value| value.to_str().ok()).ok_or(Refusal::NoEvent)?;
    let kind: Kind<'_> = payload::parse(body)?;
    let kind = kind.object_kind.or(kind.event_name).ok_or_else(|| Malformed::new("event_name", "is missing"))?;
    // The body decides, since system hooks say no more than that they are such; the others have to agree with it.
    let agrees = match header {
        "Push Hook" => kind == "push",
        "Tag Push Hook" => kind == "tag_push",
        _ => true,
    };
    if !agrees {
        return Err(Malformed::new("object_kind", format!("'{}' is no {header}", shown(&kind, MAX_SHOWN))).into());
    }
    match &*kind {
        "push" => push(body),
        "project_update" | "project_rename" => project(body, |_| Ok(What::Changed)),
        "project_destroy" => project(body, |_| Ok(What::Destroyed)),
        "project_transfer" => project(body, |event| {
            let from = event.old_path_with_namespace.as_deref();
            let from = from.ok_or_else(|| Malformed::new("old_path_with_namespace", "is missing"))?;
            Ok(What::Transferred { from: field("old_path_with_namespace", from)? })
        }),
        other => Ok(Seen::Nothing(format!("{} is not handled", shown(other, MAX_SHOWN)))),
    }
}

fn push(body: &[u8]) -> Result<Seen, Refusal> {
    let push: Push<'_> = payload::parse(body)?;
    let Some(branch) = push.reference.strip_prefix(BRANCHES) else {
        let reference = shown(&push.reference, MAX_SHOWN);
        return Ok(Seen::Nothing(format!("{reference} is no branch: nothing to do")));
    };
    let branch = branch_name("ref", branch)?;
    if is_zero(&push.after) {
        return Ok(Seen::Nothing(format!("the branch {branch} was deleted: nothing to do")));
    }
    if push.project.id.is_some_and(|id| id != push.project_id) {
        return Err(Malformed::new("project.id", "is not project_id").into());
    }
    let notice = Notice {
        project: number("project_id", push.project_id)?,
        path: field("project.path_with_namespace", &push.project.path_with_namespace)?,
        actor: shown(push.user_username.as_deref().unwrap_or_default(), MAX_ACTOR),
        what: What::Pushed { branch, sha: field("after", &push.after)? },
    };
    Ok(Seen::Notice(Box::new(notice)))
}

fn project(body: &[u8], what: impl FnOnce(&ProjectEvent<'_>) -> Result<What, Malformed>) -> Result<Seen, Refusal> {
    let event: ProjectEvent<'_> = payload::parse(body)?;
    let notice = Notice {
        project: number("project_id", event.project_id)?,
        path: field("path_with_namespace", &event.path_with_namespace)?,
        // These hooks tell who the owners are, and not who did it.
        actor: String::new(),
        what: what(&event)?,
    };
    Ok(Seen::Notice(Box::new(notice)))
}

#[cfg(test)]
mod tests;
