//! GitHub's `push` payload: as little of it as is needed, turned at once into this project's own terms.
//!
//! Text is borrowed from the body and what is not needed (commits above all) is passed over without being kept.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use sdk::event::{PushEvent, Scm};
use sdk::id::{Owner, RepoName};
use serde::Deserialize;

use crate::refusal::Refusal;

const BRANCHES: &str = "refs/heads/";
const MAX_BRANCH: usize = 255;
const MAX_PUSHER: usize = 100;
const MAX_COMPLAINT: usize = 300;

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
        let payload: Payload<'_> = serde_json::from_slice(body).map_err(|_| Refusal::Malformed(whereabouts(body)))?;
        let owner: Owner = field("repository.owner.login", &payload.repository.owner.login)?;
        let repo: RepoName = field("repository.name", &payload.repository.name)?;
        let Some(branch) = payload.reference.strip_prefix(BRANCHES) else {
            let reference: String = payload.reference.chars().filter(|c| !c.is_control()).take(MAX_BRANCH).collect();
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

/// Which field is wrong, and how. Costs a second reading, which only a malformed payload pays.
fn whereabouts(body: &[u8]) -> String {
    let mut json = serde_json::Deserializer::from_slice(body);
    let complaint = match serde_path_to_error::deserialize::<_, Payload<'_>>(&mut json) {
        Ok(_) => "there is more after the end of the JSON".to_owned(),
        Err(error) if error.path().iter().next().is_none() => error.inner().to_string(),
        Err(error) => format!("{}: {}", error.path(), error.inner()),
    };
    // It may quote the wrong value, which may be as long as the payload.
    complaint.chars().take(MAX_COMPLAINT).collect()
}

fn field<T>(name: &str, text: &str) -> Result<T, Refusal>
where
    T: FromStr,
    T::Err: Display,
{
    text.parse().map_err(|error| Refusal::Malformed(format!("{name}: {error}")))
}

fn number(name: &str, value: u64) -> Result<u64, Refusal> {
    if value == 0 { Err(Refusal::Malformed(format!("{name}: must be greater than 0"))) } else { Ok(value) }
}

/// A branch's name by git's rules, as far as they matter to who puts it into a reference or a sentence.
fn branch_name(field: &str, name: &str) -> Result<String, Refusal> {
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let parts = || name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"));
    let shape = !name.starts_with('-') && !name.ends_with('.') && !name.contains("..") && !name.contains("@{");
    if name.len() <= MAX_BRANCH && shape && !name.contains(forbidden) && parts() {
        return Ok(name.to_owned());
    }
    Err(Refusal::Malformed(format!("{field}: is no branch name that git allows, or is over {MAX_BRANCH} bytes")))
}

fn is_zero(sha: &str) -> bool {
    !sha.is_empty() && sha.bytes().all(|b| b == b'0')
}

fn pusher(pusher: Option<Pusher<'_>>) -> String {
    let name = pusher.and_then(|pusher| pusher.name).unwrap_or_default();
    name.chars().filter(|c| !c.is_control()).take(MAX_PUSHER).collect()
}

#[cfg(test)]
mod tests;
