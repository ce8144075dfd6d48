//! GitHub's `push` payload: as little of it as is needed, turned at once into this project's own terms.
//!
//! Text is borrowed from the body and what is not needed (commits above all) is passed over without being kept.

use std::borrow::Cow;

use sdk::event::{PushEvent, Scm};
use sdk::id::{Owner, RepoName};
use sdk::webhook::payload::{self, branch_name, field, is_zero, number, shown};
use serde::Deserialize;

use crate::refusal::Refusal;

const BRANCHES: &str = "refs/heads/";
const MAX_REFERENCE: usize = 255;
const MAX_PUSHER: usize = 100;

/// The part of the payload that is read.
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
struct Repository<'a> {
    id: u64,
    #[serde(borrow)]
    name: Cow<'a, str>,
    private: bool,
    #[serde(borrow)]
    default_branch: Cow<'a, str>,
    #[serde(borrow)]
    owner: Account<'a>,
}

#[derive(Deserialize)]
struct Account<'a> {
    id: u64,
    #[serde(borrow)]
    login: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Pusher<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

/// What a `push` webhook says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Push {
    pub(crate) owner: Owner,
    pub(crate) what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A branch has a new head.
    Head(Box<PushEvent>),
    /// Nothing that concerns this platform; the sentence says why.
    Nothing(String),
}

impl Push {
    /// Reads a payload whose signature holds. `host` and `pages` come from the configuration: a payload is not
    /// asked where it is from.
    pub(crate) fn parse(body: &[u8], host: &str, pages: &str) -> Result<Self, Refusal> {
        let payload: Payload<'_> = payload::parse(body)?;
        let owner: Owner = field("repository.owner.login", &payload.repository.owner.login)?;
        let repo: RepoName = field("repository.name", &payload.repository.name)?;
        let Some(branch) = payload.reference.strip_prefix(BRANCHES) else {
            let reference = shown(&payload.reference, MAX_REFERENCE);
            return Ok(Self { owner, what: What::Nothing(format!("{reference} is no branch: nothing to do")) });
        };
        let branch = branch_name("ref", branch)?;
        if payload.deleted || is_zero(&payload.after) {
            return Ok(Self { owner, what: What::Nothing(format!("the branch {branch} was deleted: nothing to do")) });
        }
        let event = PushEvent {
            scm: Scm::Github,
            host: host.to_owned(),
            owner_id: number("repository.owner.id", payload.repository.owner.id)?,
            repo_id: number("repository.id", payload.repository.id)?,
            private: payload.repository.private,
            branch,
            default_branch: branch_name("repository.default_branch", &payload.repository.default_branch)?,
            sha: field("after", &payload.after)?,
            html_url: format!("{pages}/{owner}/{repo}"),
            installation: payload.installation.map_or(0, |installation| installation.id),
            pusher: pusher(payload.pusher),
            path: None,
            pinned: false,
            asked_at: None,
            rebuild: false,
            owner: owner.clone(),
            repo,
        };
        Ok(Self { owner, what: What::Head(Box::new(event)) })
    }
}

fn pusher(pusher: Option<Pusher<'_>>) -> String {
    let name = pusher.and_then(|pusher| pusher.name).unwrap_or_default();
    shown(&name, MAX_PUSHER)
}

#[cfg(test)]
mod tests;
