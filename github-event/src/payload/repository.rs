//! `repository`: a repository was renamed, given away, deleted, hidden, ...

use std::borrow::Cow;

use sdk::id::{Owner, RepoName};
use sdk::webhook::Malformed;
use sdk::webhook::payload::{field, number, parse};
use serde::Deserialize;

use super::{Account, Source, collect, not_acted_on};
use crate::order::{Collection, Note, Order};

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    repository: Repository<'a>,
    #[serde(borrow)]
    sender: Account<'a>,
    #[serde(borrow)]
    changes: Option<Changes<'a>>,
}

/// Less of a repository than elsewhere: one that was just deleted may have lost its branches.
#[derive(Deserialize)]
struct Repository<'a> {
    id: u64,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    owner: Account<'a>,
}

#[derive(Deserialize)]
struct Changes<'a> {
    #[serde(borrow)]
    owner: Option<ChangedOwner<'a>>,
}

#[derive(Deserialize)]
struct ChangedOwner<'a> {
    #[serde(borrow)]
    from: FormerOwner<'a>,
}

#[derive(Deserialize)]
struct FormerOwner<'a> {
    #[serde(borrow)]
    user: Option<Account<'a>>,
    #[serde(borrow)]
    organization: Option<Account<'a>>,
}

pub(super) fn read(action: &str, body: &[u8], source: &Source) -> Result<Order, Malformed> {
    let lasting = lasting(action);
    if lasting.is_none() && !matches!(action, "deleted" | "transferred") {
        return Ok(not_acted_on("repository", action));
    }
    let payload: Payload<'_> = parse(body)?;
    let Ok(name) = payload.repository.name.parse::<RepoName>() else {
        return Ok(Order::Ignore("the repository's name is none that is deployed here: nothing to do".to_owned()));
    };
    let (owner, actor) = (&payload.repository.owner, payload.sender.login());
    if let Some(sentence) = lasting {
        let (owner_id, owner): (_, Owner) = (owner.id, field("repository.owner.login", &owner.login)?);
        let (repo, sentence) = (name.to_string(), sentence.to_owned());
        return Ok(Order::Note(Note { owner, owner_id, repo, actor, sentence }));
    }
    let repo = (number("repository.id", payload.repository.id)?, name);
    if action == "deleted" {
        let sentence = "the repository was deleted: its functions are removed".to_owned();
        return gone(source, "repository.owner", owner, repo, actor, sentence);
    }
    let from = payload.changes.and_then(|changes| changes.owner).map(|owner| owner.from);
    let former = from.and_then(|from| from.user.or(from.organization));
    let nobody = || Malformed::new("changes.owner.from", "names neither a user nor an organization");
    let former = former.ok_or_else(nobody)?;
    if former.id == owner.id {
        return Ok(Order::Ignore("the repository has the owner that it had before: nothing to do".to_owned()));
    }
    let to = owner.login();
    let sentence = format!("the repository was transferred to {to}: its former owner's functions of it are removed");
    gone(source, "changes.owner.from", &former, repo, actor, sentence)
}

/// What happened, where it leaves the functions as they are.
fn lasting(action: &str) -> Option<&'static str> {
    Some(match action {
        "renamed" => "the repository was renamed: its functions stay and follow with the next push",
        "privatized" => "the repository is private now: its functions stay and follow with the next push",
        "publicized" => "the repository is public now: its functions stay and follow with the next push",
        "archived" => "the repository was archived: its functions stay",
        "unarchived" => "the repository is no longer archived",
        _ => return None,
    })
}

/// The functions that the account has from this repository are to go.
fn gone(
    source: &Source,
    whose: &str,
    account: &Account<'_>,
    repo: (u64, RepoName),
    actor: String,
    sentence: String,
) -> Result<Order, Malformed> {
    let owner: Owner = field(&format!("{whose}.login"), &account.login)?;
    let owner_id = number(&format!("{whose}.id"), account.id)?;
    let name = repo.1.to_string();
    let requests = vec![collect(source, &owner, owner_id, Some(repo), &actor)];
    Ok(Order::Collect(Collection { requests, note: Note { owner, owner_id, repo: name, actor, sentence } }))
}
