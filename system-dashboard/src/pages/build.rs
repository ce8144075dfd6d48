//! A build: how it stands, what went wrong, and its log, live while it grows.
//!
//! Logs are kept under logins, which may come to be somebody else's. So a log is shown only where a record of the push, or a
//! function that is deployed from it, says that it is the owner's by number.

mod lines;
mod live;
mod steps;

use askama::Template;
use axum::response::Response;
use sdk::history::{HistoryRequest, PushRecord};
use sdk::id::{CommitSha, FunctionName, RepoName, RepoPath};
use sdk::labels;
use sdk::pipeline_log::LogKey;
use sdk::status::State as Progress;
use serde::Deserialize;

pub(crate) use self::live::live;

use self::lines::{Line, Shown};
use self::steps::Steps;
use super::push::{self, Built, Push};
use crate::address::Visit;
use crate::app::App;
use crate::ask::{self, Answer, Down};
use crate::build_log::{self, PAGE};
use crate::page::{self, Shell};
use crate::refusal::Refusal;
use crate::visitor::Place;
use crate::words;

/// A longer text is not searched for, in characters.
const MAX_SEARCH: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    #[serde(default)]
    repo_path: String,
    #[serde(default, rename = "commitSHA")]
    sha: String,
    from: Option<u64>,
    #[serde(default)]
    q: String,
}

/// A build that the visitor may see.
pub(super) struct Build {
    key: LogKey,
    record: Option<PushRecord>,
    /// Set where nobody says whether there is a record.
    unknown: Option<Down>,
}

#[derive(Template)]
#[template(path = "build.html")]
struct Page {
    shell: Shell,
    function: String,
    repo: String,
    sha: String,
    push: Option<Push>,
    built: Option<Built>,
    failure: Option<Failure>,
    /// With the address of its first line.
    steps: Vec<(steps::Shown, String)>,
    steps_left_out: usize,
    lines: Vec<Line>,
    earlier: Option<u64>,
    later: Option<u64>,
    size: String,
    /// Where the live part goes on, while the build is under way.
    live: Option<u64>,
    q: String,
    found: usize,
    down: Option<String>,
    /// What of the history, where that cannot be shown.
    unknown: Option<String>,
    has_log: bool,
}

struct Failure {
    sentence: String,
    /// The line that says so.
    line: Option<(String, String)>,
}

pub(crate) async fn show(Visit { app, place, name, asked }: Visit<Asked>) -> Result<Response, Refusal> {
    let Build { key, record, unknown } = admit(&app, &place, &name, &asked).await?;
    let answer = build_log::read(&app, &place.visitor, &key, asked.from).await;
    let down = answer.as_ref().err().map(ToString::to_string);
    let part = answer.ok().flatten();
    let has_log = part.is_some();
    let shown = |part| if asked.from.is_none() { lines::newest(part) } else { part };
    let part = part.map(shown).unwrap_or_default();
    let q: String = asked.q.trim().chars().take(MAX_SEARCH).collect();
    let Shown { mut lines, end } = lines::of(&part, &page_address(&place, &key));
    let (state, sentence) = progress(record.as_ref(), &key);
    let failure = (state == Some(Progress::Failure)).then(|| failure(sentence, &lines));
    let found = lines::search(&mut lines, &q);
    // What nobody knows of does not go on.
    let is_over = part.is_whole || state.map_or(!has_log, Progress::is_final);
    let at_end = end >= part.length;
    let steps = Steps::of(&part, end);
    let address = |at: u64| match lines.iter().find(|line| line.at == at) {
        Some(line) => line.address.clone(),
        None => format!("{}&from={at}#b{at}", page_address(&place, &key)),
    };
    let shown = steps.shown(!is_over && at_end);
    let push = record.as_ref().map(|record| push::shown(&place, record));
    Ok(page::good(&Page {
        shell: Shell::about(&place, &name, &format!("Build of {name}"), "builds"),
        built: push.as_ref().and_then(|push| push.functions.iter().find(|built| built.name == name).cloned()),
        push,
        failure,
        earlier: (part.start > 0).then(|| part.start.saturating_sub(PAGE)),
        later: (!at_end).then_some(end),
        size: words::bytes(part.length as f64),
        live: (!is_over && at_end && q.is_empty() && down.is_none()).then_some(end),
        steps: shown.into_iter().map(|step| (step.clone(), address(step.at))).collect(),
        steps_left_out: steps.left_out,
        lines,
        repo: key.repo.to_string(),
        sha: key.sha.to_string(),
        function: name,
        q,
        found,
        down,
        unknown: unknown.map(|down| down.to_string()),
        has_log,
    }))
}

/// The build that an address means, if it is the owner's.
async fn admit(app: &App, place: &Place, name: &str, asked: &Asked) -> Result<Build, Refusal> {
    let path: RepoPath = asked.repo_path.parse().map_err(|_| Refusal::NotFound)?;
    let sha: CommitSha = asked.sha.parse().map_err(|_| Refusal::NotFound)?;
    let function: FunctionName = name.parse().map_err(|_| Refusal::NotFound)?;
    let key = LogKey { owner: path.owner, repo: path.repo, sha, function };
    let (record, unknown) = match record_of(app, place, &key).await {
        Ok(record) => (record, None),
        Err(down) => (None, Some(down)),
    };
    if record.is_some() || is_deployed(app, place, &key).await? {
        return Ok(Build { key, record, unknown });
    }
    Err(unknown.map_or(Refusal::NotFound, |down| Refusal::Down(down.0)))
}

/// What is remembered of the push.
async fn record_of(app: &App, place: &Place, key: &LogKey) -> Answer<Option<PushRecord>> {
    let (repo, sha) = (Some(key.repo.clone()), Some(key.sha.clone()));
    let records = ask::history(app, place, HistoryRequest { repo, sha, ..ask::all_pushes(place, 10) }).await?;
    let ours = |record: &PushRecord| record.owner == key.owner && record.repo == key.repo && record.sha == key.sha;
    Ok(records.into_iter().find(ours))
}

/// Whether a build is still to come to its end, as far as anybody knows.
async fn is_awaited(app: &App, place: &Place, key: &LogKey) -> bool {
    let record = record_of(app, place, key).await;
    record.map_or(true, |record| progress(record.as_ref(), key).0.is_some_and(|state| !state.is_final()))
}

/// Whether the owner's function is one from this very commit.
async fn is_deployed(app: &App, place: &Place, key: &LogKey) -> Result<bool, Refusal> {
    if key.owner != place.owner {
        return Ok(false);
    }
    let found = ask::function(app, place, key.function.as_str()).await.map_err(|down| Refusal::Down(down.0))?;
    Ok(found.is_some_and(|function| {
        let says = |label: &str, value: &str| function.labels.get(label).is_some_and(|found| found == value);
        says(labels::GIT_SHA, &labels::value(key.sha.as_str())) && is_repo(&function.labels, &key.repo)
    }))
}

fn is_repo(labels: &std::collections::BTreeMap<String, String>, repo: &RepoName) -> bool {
    labels.get(labels::GIT_REPO).is_some_and(|found| *found == labels::value(repo.as_str()))
}

/// How the function's build stands, or the whole push where it is not in it (yet).
fn progress(record: Option<&PushRecord>, key: &LogKey) -> (Option<Progress>, String) {
    let Some(record) = record else { return (None, String::new()) };
    match record.functions.iter().find(|function| function.name == key.function) {
        Some(function) => (Some(function.state), function.description.clone()),
        None => (Some(record.state), record.description.clone()),
    }
}

fn failure(sentence: String, lines: &[Line]) -> Failure {
    let says_so = |line: &&Line| {
        let text = line.plain().to_lowercase();
        ["error", "failed", "fatal", "panicked"].iter().any(|word| text.contains(word))
    };
    // What a step says is two spaces further in than its name, which may have such words in it, too.
    let is_said = |line: &&Line| line.plain().starts_with("  ") && !line.plain().starts_with("  (");
    let words = || lines.iter().filter(says_so);
    let line = words().find(is_said).or_else(|| words().next());
    let line = line.map(|line| (line.address.clone(), line.plain().trim().to_owned()));
    let sentence = if sentence.is_empty() { "The build failed.".to_owned() } else { sentence };
    Failure { sentence, line }
}

fn page_address(place: &Place, key: &LogKey) -> String {
    let LogKey { owner, repo, sha, function } = key;
    format!("/dashboard/{}/{function}/build-log?repoPath={owner}/{repo}&commitSHA={sha}", place.owner)
}
