//! What became of an owner's pushes.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use sdk::history::HistoryRequest;
use sdk::id::RepoName;
use serde::Deserialize;

use super::push::{self, Push};
use crate::address::Query;
use crate::app::App;
use crate::ask;
use crate::page::{self, Shell};
use crate::visitor::Place;

const PER_PAGE: usize = 20;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    repo: String,
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "deploys.html")]
struct Page {
    shell: Shell,
    pushes: Vec<Push>,
    repo: String,
    is_first: bool,
    older: Option<u64>,
    down: Option<String>,
}

pub(crate) async fn show(State(app): State<App>, place: Place, Query(asked): Query<Asked>) -> Response {
    // A name that no repository can have has no pushes, and is not shown again.
    let repo = asked.repo.trim().parse::<RepoName>().ok();
    let request = HistoryRequest { repo: repo.clone(), before: asked.before, ..ask::all_pushes(&place, PER_PAGE) };
    let answer = ask::history(&app, &place, request).await;
    let down = answer.as_ref().err().map(ToString::to_string);
    let records = answer.unwrap_or_default();
    let older = (records.len() >= PER_PAGE).then(|| records.last().map(|record| record.began)).flatten();
    page::good(&Page {
        shell: Shell::at(&place, "Deploys", "deploys"),
        pushes: records.iter().map(|record| push::shown(&place, record)).collect(),
        repo: repo.map(|repo| repo.to_string()).unwrap_or_default(),
        is_first: asked.before.is_none(),
        older,
        down,
    })
}
