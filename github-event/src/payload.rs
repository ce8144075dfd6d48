//! GitHub's payloads: as little of them as is needed, turned at once into this project's own terms.
//!
//! Text is borrowed from the body and what is not needed (commits above all) is passed over without being kept. Only
//! payloads whose signature holds come here.

mod check;
mod deployment;
mod installation;
mod push;
mod repository;

use std::borrow::Cow;

use sdk::event::{PushEvent, Scm};
use sdk::garbage::{GarbageRequest, Scope};
use sdk::id::{CommitSha, Owner, RepoName};
use sdk::webhook::Malformed;
use sdk::webhook::payload::{branch_name, field, number, parse, shown};
use serde::Deserialize;

use crate::order::Order;

/// Longer texts of strangers are cut in sentences, in characters.
const MAX_SHOWN: usize = 255;
/// Longer logins are cut, in characters.
const MAX_LOGIN: usize = 100;

/// Where payloads are from. They are not asked: the configuration says it.
pub(crate) struct Source {
    /// The host that numbers belong to.
    pub(crate) host: String,
    /// Where repositories have their pages, without a slash at its end.
    pub(crate) pages: String,
    /// The number of this platform's GitHub App, where it is one.
    pub(crate) app_id: Option<u64>,
}

/// What there is to do about a webhook of this kind.
///
/// # Errors
/// When a field that is needed is missing or of another type.
pub(crate) fn read(kind: &str, body: &[u8], source: &Source) -> Result<Order, Malformed> {
    match kind {
        "push" => return push::read(body, source),
        "check_run" | "check_suite" | "deployment" | "installation" | "installation_repositories" | "repository" => {}
        other => {
            return Ok(Order::Ignore(format!("the event {} is not one that is acted on", shown(other, MAX_SHOWN))));
        }
    }
    let Act { action } = parse(body)?;
    match (kind, &*action) {
        ("check_run", "rerequested") => check::run(body, source),
        ("check_suite", "rerequested") => check::suite(body, source),
        ("deployment", "created") => deployment::read(body, source),
        ("installation", action) => installation::changed(action, body, source),
        ("installation_repositories", "added" | "removed") => installation::repositories(body, source),
        ("repository", action) => repository::read(action, body, source),
        _ => Ok(not_acted_on(kind, &action)),
    }
}

fn not_acted_on(kind: &str, action: &str) -> Order {
    Order::Ignore(format!("{kind} {}: not acted on", shown(action, MAX_SHOWN)))
}

#[derive(Deserialize)]
struct Act<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Account<'a> {
    id: u64,
    #[serde(borrow)]
    login: Cow<'a, str>,
}

impl Account<'_> {
    fn login(&self) -> String {
        shown(&self.login, MAX_LOGIN)
    }
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

/// A GitHub App.
#[derive(Deserialize)]
struct App {
    id: u64,
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

impl Repository<'_> {
    fn owner(&self) -> Result<Owner, Malformed> {
        field("repository.owner.login", &self.owner.login)
    }

    fn name(&self) -> Result<RepoName, Malformed> {
        field("repository.name", &self.name)
    }

    /// A deployment of the commit, as a push of it to this branch would be one.
    fn push(
        &self,
        source: &Source,
        branch: String,
        sha: CommitSha,
        installation: Option<Installation>,
    ) -> Result<PushEvent, Malformed> {
        let (owner, repo) = (self.owner()?, self.name()?);
        Ok(PushEvent {
            scm: Scm::Github,
            host: source.host.clone(),
            owner_id: number("repository.owner.id", self.owner.id)?,
            repo_id: number("repository.id", self.id)?,
            path: None,
            private: self.private,
            branch,
            default_branch: branch_name("repository.default_branch", &self.default_branch)?,
            sha,
            html_url: format!("{}/{owner}/{repo}", source.pages),
            installation: installation.map_or(0, |installation| installation.id),
            pusher: String::new(),
            pinned: false,
            asked_at: None,
            rebuild: false,
            restart: Vec::new(),
            owner,
            repo,
        })
    }
}

/// That an owner's functions are to go; of one repository, or all.
fn collect(
    source: &Source,
    owner: &Owner,
    owner_id: u64,
    repo: Option<(u64, RepoName)>,
    actor: &str,
) -> GarbageRequest {
    let (repo_id, repo) = repo.map_or((None, Scope::Everything), |(id, name)| (Some(id), Scope::Repo(name)));
    GarbageRequest {
        host: source.host.clone(),
        owner: owner.clone(),
        owner_id,
        repo,
        repo_id,
        former_owners: false,
        until: None,
        sha: None,
        actor: actor.to_owned(),
        keep: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
