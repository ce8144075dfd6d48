//! The audit trail: who did what at an owner's, and when.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use sdk::audit::{AuditAnswer, AuditEvent, AuditMark, AuditRequest};
use sdk::id::{CommitSha, FunctionName, Owner, RepoName};
use sdk::secrets::SECRETS_FUNCTION;
use serde::Deserialize;

use super::push::cut;
use crate::address::Query;
use crate::app::App;
use crate::ask;
use crate::page::{self, Shell};
use crate::visitor::Place;
use crate::words::{self, Moment};

const PER_PAGE: usize = 50;
/// More of a sentence is shown only to who asks for it, in characters.
const MAX_SUBJECT: usize = 160;
/// What concerns all repositories at once.
const ALL: &str = "*";

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    repo: String,
    #[serde(default)]
    before: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    shell: Shell,
    events: Vec<Row>,
    repo: String,
    is_kept: bool,
    is_first: bool,
    older: Option<AuditMark>,
    down: Option<String>,
}

struct Row {
    subject: String,
    /// The whole sentence, where it is longer than that.
    whole: Option<String>,
    at: Moment,
    actor: String,
    source: String,
    repo: String,
    /// True if the trail can be asked for that repository alone.
    is_repo: bool,
    short: String,
    commit: Option<Link>,
}

struct Link {
    address: String,
    /// What is there.
    label: String,
}

pub(crate) async fn show(State(app): State<App>, place: Place, Query(asked): Query<Asked>) -> Response {
    // A name that no repository can have is in no event, and is not shown again; a place that is none is the beginning.
    let repo = asked.repo.trim().parse::<RepoName>().ok();
    let before = asked.before.parse::<AuditMark>().ok();
    let request = AuditRequest { owner_id: place.id.clone(), repo: repo.clone(), before, limit: Some(PER_PAGE) };
    let answer = ask::audit(&app, &place, request).await;
    let down = answer.as_ref().err().map(ToString::to_string);
    let answer = answer.unwrap_or_default();
    let is_kept = answer.is_some();
    let AuditAnswer { events, older } = answer.unwrap_or_default();
    page::good(&Page {
        shell: Shell::at(&place, "Audit trail", "audit"),
        events: events.iter().filter(|event| may_see(&place, event)).map(|event| row(&place, event)).collect(),
        repo: repo.map(|repo| repo.to_string()).unwrap_or_default(),
        is_kept,
        is_first: before.is_none(),
        older,
        down,
    })
}

/// Names of secrets are for members, here as elsewhere.
fn may_see(place: &Place, event: &AuditEvent) -> bool {
    place.may_act() || event.source != SECRETS_FUNCTION
}

fn row(place: &Place, event: &AuditEvent) -> Row {
    let subject = cut(&event.message, MAX_SUBJECT);
    Row {
        whole: (subject != event.message).then(|| event.message.clone()),
        subject,
        at: event.at.map(words::moment).unwrap_or_default(),
        actor: if event.actor.is_empty() { "the platform".to_owned() } else { event.actor.clone() },
        source: event.source.clone(),
        repo: if event.repo == ALL { "all repositories".to_owned() } else { event.repo.clone() },
        is_repo: event.repo.parse::<RepoName>().is_ok(),
        short: event.sha.chars().take(7).collect(),
        commit: commit(place, event),
    }
}

/// The build of the commit where it is about one function, else the deploys of its repository.
fn commit(place: &Place, event: &AuditEvent) -> Option<Link> {
    let (repo, sha): (RepoName, CommitSha) = (event.repo.parse().ok()?, event.sha.parse().ok()?);
    let (function, owner) = (event.function.parse::<FunctionName>(), event.owner.parse::<Owner>());
    if let (Ok(function), Ok(owner)) = (function, owner) {
        let query = format!("repoPath={owner}/{repo}&commitSHA={sha}");
        let address = format!("/dashboard/{}/{function}/build-log?{query}", place.owner);
        return Some(Link { address, label: format!("the build of {function}") });
    }
    let address = format!("/dashboard/{}/-/deploys?repo={repo}", place.owner);
    Some(Link { address, label: format!("the deploys of {repo}") })
}
