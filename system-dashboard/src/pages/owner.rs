//! An owner's functions.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use sdk::gateway::FunctionStatus;
use sdk::id::ServiceName;
use sdk::metrics::{Figures, MetricsAnswer, Window};
use serde::Deserialize;

use super::push::{self, Push};
use super::standing::{self, Origin, Standing};
use crate::address::Query;
use crate::app::App;
use crate::ask::{self, Answer};
use crate::chart::{self, Axis};
use crate::page::{self, Shell};
use crate::visitor::Place;
use crate::words;

const PER_PAGE: usize = 25;
/// Points of the small graphs: one for each hour.
const POINTS: usize = 24;
const MAX_FILTER: usize = 100;
const RECENT: usize = 5;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    filter: String,
    #[serde(default)]
    sort: Sort,
    page: Option<usize>,
    #[serde(default)]
    done: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sort {
    #[default]
    Name,
    Deployed,
    Calls,
    State,
}

#[derive(Template)]
#[template(path = "owner.html")]
struct Page {
    shell: Shell,
    rows: Vec<Row>,
    total: usize,
    all: usize,
    filter: String,
    /// As it stands in an address.
    filter_query: String,
    sorts: Vec<Choice>,
    pager: Pager,
    recent: Vec<Push>,
    down: Vec<String>,
    has_listing: bool,
    /// The platform's own git host, if it has one.
    git_host: Option<String>,
    done: Option<&'static str>,
}

struct Choice {
    value: &'static str,
    label: &'static str,
    chosen: bool,
}

#[derive(Default)]
struct Pager {
    page: usize,
    pages: usize,
    before: Option<usize>,
    after: Option<usize>,
    sort: &'static str,
}

struct Row {
    name: String,
    url: Option<String>,
    standing: Standing,
    replicas: String,
    origin: Origin,
    figures: Option<Small>,
}

/// A day in a few figures.
struct Small {
    calls: String,
    errors: String,
    has_errors: bool,
    success: String,
    failure: String,
}

/// The functions of one page.
#[derive(Default)]
struct Found {
    visible: Vec<FunctionStatus>,
    /// So many fit the filter,
    total: usize,
    /// and so many there are.
    all: usize,
    pager: Pager,
}

pub(crate) async fn show(State(app): State<App>, place: Place, Query(asked): Query<Asked>) -> Response {
    let pushes = ask::all_pushes(&place, RECENT);
    let filter: String = asked.filter.trim().chars().take(MAX_FILTER).collect();
    let (found, recent) = tokio::join!(find(&app, &place, &asked, &filter), ask::history(&app, &place, pushes));
    let mut down: Vec<_> =
        [found.as_ref().err(), recent.as_ref().err()].into_iter().flatten().map(ToString::to_string).collect();
    let has_listing = found.is_ok();
    let Found { visible, total, all, pager } = found.unwrap_or_default();
    let figures = figures(&app, &place, &visible, &mut down).await;
    let small = |name| figures.as_ref().and_then(|answer| Some(small(answer.until, answer.functions.get(name)?)));
    let rows = visible.iter().map(|function| row(&app, &place, function, small(&function.name))).collect();
    let recent = recent.unwrap_or_default();
    page::good(&Page {
        shell: Shell::at(&place, place.owner.as_str(), "functions"),
        rows,
        total,
        all,
        filter_query: words::query(&filter),
        filter,
        sorts: choices(asked.sort),
        pager,
        recent: recent.iter().map(|record| push::shown(&place, record)).collect(),
        down,
        has_listing,
        git_host: app.git_host_url.clone(),
        done: asked.done.filter(|done| done == "deleted").map(|_| "The function is deleted."),
    })
}

/// What of the functions is shown. The first page by name is what everybody opens, and needs no others.
async fn find(app: &App, place: &Place, asked: &Asked, filter: &str) -> Answer<Found> {
    let page = asked.page.unwrap_or(1);
    if page <= 1 && filter.is_empty() && asked.sort == Sort::Name {
        let first = ask::first(app, place, PER_PAGE).await?;
        let (visible, total) = (first.functions, first.total);
        return Ok(Found { visible, total, all: total, pager: Pager::of(page, total, asked.sort) });
    }
    let mut functions = ask::functions(app, place).await?;
    let all = functions.len();
    let needle = filter.to_lowercase();
    functions.retain(|function| standing::short_name(&function.name, place.owner.as_str()).contains(&needle));
    sort(&mut functions, asked.sort);
    let total = functions.len();
    let pager = Pager::of(page, total, asked.sort);
    let visible = functions.into_iter().skip((pager.page - 1) * PER_PAGE).take(PER_PAGE).collect();
    Ok(Found { visible, total, all, pager })
}

async fn figures(
    app: &App,
    place: &Place,
    visible: &[FunctionStatus],
    down: &mut Vec<String>,
) -> Option<MetricsAnswer> {
    let names: Vec<ServiceName> = visible.iter().filter_map(|function| function.name.parse().ok()).collect();
    if names.is_empty() {
        return None;
    }
    let answer = ask::metrics(app, place, names, Window::Day, POINTS).await;
    answer.map_err(|error| down.push(error.to_string())).ok()
}

fn sort(functions: &mut [FunctionStatus], by: Sort) {
    match by {
        Sort::Name => functions.sort_by(|a, b| a.name.cmp(&b.name)),
        Sort::Deployed => functions.sort_by_key(|function| std::cmp::Reverse(standing::origin(function).deployed_at)),
        Sort::Calls => functions.sort_by(|a, b| b.invocation_count.total_cmp(&a.invocation_count)),
        Sort::State => functions.sort_by_key(standing::of),
    }
}

fn row(app: &App, place: &Place, function: &FunctionStatus, figures: Option<Small>) -> Row {
    let name = standing::short_name(&function.name, place.owner.as_str()).to_owned();
    Row {
        url: app.public_url(place.owner.as_str(), &name),
        standing: standing::of(function),
        replicas: format!("{}/{}", function.available_replicas, function.replicas),
        origin: standing::origin(function),
        figures,
        name,
    }
}

fn small(until: u64, figures: &Figures) -> Small {
    let (good, bad) = (figures.success(), figures.failure());
    let axis = Axis { until, seconds: Window::Day.seconds(), slots: POINTS };
    let (success, failure) = chart::bars(axis, &chart::calls(&figures.series), 120.0, 28.0);
    Small {
        calls: words::count(good + bad),
        errors: words::percent(bad, good + bad),
        has_errors: bad > 0.0,
        success,
        failure,
    }
}

fn choices(chosen: Sort) -> Vec<Choice> {
    let all = [(Sort::Name, "Name"), (Sort::Deployed, "Last deploy"), (Sort::Calls, "Calls"), (Sort::State, "State")];
    all.into_iter().map(|(sort, label)| Choice { value: sort.value(), label, chosen: sort == chosen }).collect()
}

impl Sort {
    fn value(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Deployed => "deployed",
            Self::Calls => "calls",
            Self::State => "state",
        }
    }
}

impl Pager {
    fn of(page: usize, total: usize, sort: Sort) -> Self {
        let pages = total.div_ceil(PER_PAGE).max(1);
        let page = page.clamp(1, pages);
        let (before, after) = ((page > 1).then(|| page - 1), (page < pages).then(|| page + 1));
        Self { page, pages, before, after, sort: sort.value() }
    }
}
