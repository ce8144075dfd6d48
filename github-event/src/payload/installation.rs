//! `installation` and `installation_repositories`: the app comes to an account or repository, or goes.

use std::borrow::Cow;

use sdk::id::{Owner, RepoName};
use sdk::webhook::Malformed;
use sdk::webhook::payload::{number, parse};
use serde::Deserialize;

use super::{Account, Source, collect, not_acted_on};
use crate::order::{Collection, Note, Order};

/// A longer list is refused: each of its repositories becomes a message of its own.
const MAX_REPOSITORIES: usize = 10_000;
/// So many repositories are named in a sentence.
const NAMED: usize = 10;

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    installation: Installation<'a>,
    #[serde(borrow, default)]
    repositories_added: Vec<Repository<'a>>,
    #[serde(borrow, default)]
    repositories_removed: Vec<Repository<'a>>,
    #[serde(borrow)]
    sender: Account<'a>,
}

#[derive(Deserialize)]
struct Installation<'a> {
    #[serde(borrow)]
    account: Place<'a>,
}

/// Whoever installed the app: a user, an organisation, or an enterprise, which has no login.
#[derive(Deserialize)]
struct Place<'a> {
    id: u64,
    #[serde(borrow)]
    login: Option<Cow<'a, str>>,
}

/// A repository in a list, of which less is said than elsewhere.
#[derive(Deserialize)]
struct Repository<'a> {
    id: u64,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

impl Place<'_> {
    /// A login that no owner here can have is nobody's functions.
    fn owner(&self) -> Option<Owner> {
        self.login.as_deref().and_then(|login| login.parse().ok())
    }
}

fn no_owner() -> Order {
    Order::Ignore("the app's account has no login that can be an owner's here: nothing to do".to_owned())
}

pub(super) fn changed(action: &str, body: &[u8], source: &Source) -> Result<Order, Malformed> {
    let happened = match action {
        "created" => "the app was installed: the next push to a build branch is deployed",
        "deleted" => "the app was uninstalled: all functions are removed",
        "suspend" => "the app was suspended: functions stay, and no push arrives until it is no longer",
        "unsuspend" => "the app is no longer suspended: the next push to a build branch is deployed",
        "new_permissions_accepted" => "the app's new permissions were accepted",
        other => return Ok(not_acted_on("installation", other)),
    };
    let payload: Payload<'_> = parse(body)?;
    let account = payload.installation.account;
    let Some(owner) = account.owner() else { return Ok(no_owner()) };
    let actor = payload.sender.login();
    if action != "deleted" {
        let (repo, sentence) = (String::new(), happened.to_owned());
        return Ok(Order::Note(Note { owner, owner_id: account.id, repo, actor, sentence }));
    }
    // The payload's list of repositories is not needed: what was deployed from others before goes, too.
    let owner_id = number("installation.account.id", account.id)?;
    let requests = vec![collect(source, &owner, owner_id, None, &actor)];
    let note = Note { owner, owner_id, repo: String::new(), actor, sentence: happened.to_owned() };
    Ok(Order::Collect(Collection { requests, note }))
}

pub(super) fn repositories(body: &[u8], source: &Source) -> Result<Order, Malformed> {
    let payload: Payload<'_> = parse(body)?;
    let account = payload.installation.account;
    let Some(owner) = account.owner() else { return Ok(no_owner()) };
    let actor = payload.sender.login();
    let (added, removed) = (usable(&payload.repositories_added), usable(&payload.repositories_removed));
    if removed.len() > MAX_REPOSITORIES {
        return Err(Malformed::new("repositories_removed", format!("has over {MAX_REPOSITORIES} repositories")));
    }
    if removed.is_empty() {
        let sentence = format!("the app may use {}: the next push to a build branch is deployed", named(&added));
        return Ok(Order::Note(Note { owner, owner_id: account.id, repo: only(&added), actor, sentence }));
    }
    let owner_id = number("installation.account.id", account.id)?;
    let sentence = format!("the app may no longer use {}: functions are removed", named(&removed));
    let repo = only(&removed);
    let requests = removed.into_iter().map(|repo| collect(source, &owner, owner_id, Some(repo), &actor)).collect();
    Ok(Order::Collect(Collection { requests, note: Note { owner, owner_id, repo, actor, sentence } }))
}

/// Names that no repository can have here were never deployed.
fn usable(listed: &[Repository<'_>]) -> Vec<(u64, RepoName)> {
    let usable = listed.iter().filter(|repository| repository.id > 0);
    usable.filter_map(|repository| Some((repository.id, repository.name.parse().ok()?))).collect()
}

fn only(repositories: &[(u64, RepoName)]) -> String {
    match repositories {
        [(_, name)] => name.to_string(),
        _ => String::new(),
    }
}

fn named(repositories: &[(u64, RepoName)]) -> String {
    let names: Vec<&str> = repositories.iter().take(NAMED).map(|(_, name)| name.as_str()).collect();
    match repositories.len() {
        0 => "no other repository".to_owned(),
        count if count > NAMED => format!("{} and {} more", names.join(", "), count - NAMED),
        _ => names.join(", "),
    }
}
