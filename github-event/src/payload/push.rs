//! `push`: a branch has a new head.

use std::borrow::Cow;

use sdk::id::{Owner, RepoName};
use sdk::webhook::Malformed;
use sdk::webhook::payload::{branch_name, field, is_zero, parse, shown};
use serde::Deserialize;

use super::{Installation, MAX_LOGIN, MAX_SHOWN, Repository, Source};
use crate::order::{Note, Order};

const BRANCHES: &str = "refs/heads/";

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(rename = "ref", borrow)]
    reference: Cow<'a, str>,
    #[serde(borrow)]
    after: Cow<'a, str>,
    #[serde(default)]
    deleted: bool,
    #[serde(borrow)]
    repository: Repository<'a>,
    #[serde(borrow)]
    pusher: Option<Pusher<'a>>,
    installation: Option<Installation>,
}

#[derive(Deserialize)]
struct Pusher<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
}

pub(super) fn read(body: &[u8], source: &Source) -> Result<Order, Malformed> {
    let payload: Payload<'_> = parse(body)?;
    let (owner, repo) = (payload.repository.owner()?, &payload.repository.name);
    let pusher = shown(&payload.pusher.and_then(|pusher| pusher.name).unwrap_or_default(), MAX_LOGIN);
    let owner_id = payload.repository.owner.id;
    let nothing = |owner: Owner, why: String| {
        let sentence = format!("{why}: nothing to do");
        Ok(Order::Note(Note { owner, owner_id, repo: shown(repo, MAX_SHOWN), actor: pusher.clone(), sentence }))
    };
    if repo.parse::<RepoName>().is_err() && is_githubs(repo) {
        return nothing(owner, format!("a repository named {} is not deployed", shown(repo, MAX_SHOWN)));
    }
    let Some(branch) = payload.reference.strip_prefix(BRANCHES) else {
        return nothing(owner, format!("{} is no branch", shown(&payload.reference, MAX_SHOWN)));
    };
    let branch = branch_name("ref", branch)?;
    if payload.deleted || is_zero(&payload.after) {
        return nothing(owner, format!("the branch {branch} was deleted"));
    }
    let sha = field("after", &payload.after)?;
    let event = payload.repository.push(source, branch, sha, payload.installation)?;
    Ok(Order::Deploy(Box::new(sdk::event::PushEvent { pusher, ..event })))
}

/// True for names that a repository can have at GitHub. Not all of them can be deployed from, `.github` above all.
fn is_githubs(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}
