//! One function: how it does, what it is, and what was done to it.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use sdk::access::Access;
use sdk::gateway::FunctionStatus;
use sdk::history::{HistoryRequest, PushRecord};
use sdk::labels;
use sdk::metrics::{Figures, MetricsAnswer, Source, Window};
use serde::Deserialize;

use super::push::{self, Push};
use super::standing::{self, Origin, Standing};
use crate::app::App;
use crate::ask::{self, Answer};
use crate::chart::{self, Chart, Series};
use crate::page::{self, Shell};
use crate::refusal::Refusal;
use crate::visitor::Place;
use crate::words;

const POINTS: usize = 60;
const RECENT: usize = 8;
/// So many pushes of the repository are looked through for those of the function.
const LOOKED_AT: usize = 40;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    window: Window,
    #[serde(default)]
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "function.html")]
struct Page {
    shell: Shell,
    name: String,
    url: Option<String>,
    standing: Standing,
    origin: Origin,
    replicas: String,
    troubles: Vec<Trouble>,
    windows: Vec<(&'static str, bool)>,
    totals: Option<Totals>,
    traffic: Option<Bars>,
    charts: Vec<Chart>,
    settings: Vec<(&'static str, String)>,
    environment: Vec<String>,
    secrets: Vec<String>,
    recent: Vec<Push>,
    down: Vec<String>,
    may_act: bool,
    wanted: u64,
    token: String,
    done: Option<&'static str>,
}

struct Trouble {
    instance: String,
    message: String,
    log: String,
}

struct Totals {
    calls: String,
    errors: String,
    p50: String,
    p95: String,
    p99: String,
    source: &'static str,
    since: words::Moment,
}

struct Bars {
    success: String,
    failure: String,
    summary: String,
}

pub(crate) async fn show(
    State(app): State<App>,
    place: Place,
    Path((_, name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    let found = ask::function(&app, &place, &name).await.map_err(|down| Refusal::Down(down.0))?;
    let function = found.ok_or(Refusal::NotFound)?;
    let service = function.name.parse().map_err(|_| Refusal::NotFound)?;
    let (metrics, recent) = tokio::join!(
        ask::metrics(&app, &place, vec![service], asked.window, POINTS),
        pushes_of(&app, &place, &function),
    );
    let mut down: Vec<_> =
        [metrics.as_ref().err(), recent.as_ref().err()].into_iter().flatten().map(ToString::to_string).collect();
    down.dedup();
    let recent = recent.unwrap_or_default();
    let page = about(&app, &place, &function, &asked, metrics.ok().as_ref());
    Ok(page::good(&Page { recent: recent.iter().map(|record| push::shown(&place, record)).collect(), down, ..page }))
}

fn about(app: &App, place: &Place, function: &FunctionStatus, asked: &Asked, metrics: Option<&MetricsAnswer>) -> Page {
    let name = standing::short_name(&function.name, place.owner.as_str()).to_owned();
    let figures = metrics.and_then(|answer| answer.functions.get(&function.name));
    let windows = [Window::Hour, Window::Day, Window::Week];
    Page {
        shell: Shell::about(place, &name, &name, "overview"),
        url: app.public_url(place.owner.as_str(), &name),
        standing: standing::of(function),
        origin: standing::origin(function),
        replicas: format!("{} of {} ready", function.available_replicas, function.replicas),
        troubles: troubles(function),
        windows: windows.into_iter().map(|window| (window.as_str(), window == asked.window)).collect(),
        totals: metrics.zip(figures).map(|(answer, figures)| totals(answer, figures)),
        traffic: figures.and_then(traffic),
        charts: figures.map(charts).unwrap_or_default(),
        settings: settings(function),
        environment: function.env_vars.keys().cloned().collect(),
        secrets: function.secrets.clone(),
        recent: Vec::new(),
        down: Vec::new(),
        may_act: place.may_act(),
        wanted: function.replicas,
        token: app.forms.token(&place.visitor.who),
        done: asked.done.as_deref().and_then(done),
        name,
    }
}

fn done(what: &str) -> Option<&'static str> {
    match what {
        "scaled" => Some("The number of replicas is set."),
        "redeployed" => Some("The function is being deployed again."),
        _ => None,
    }
}

async fn pushes_of(app: &App, place: &Place, function: &FunctionStatus) -> Answer<Vec<PushRecord>> {
    let repo = function.labels.get(labels::GIT_REPO).and_then(|repo| repo.parse().ok());
    let name = standing::short_name(&function.name, place.owner.as_str()).to_owned();
    let mut records = ask::history(app, place, HistoryRequest { repo, ..ask::all_pushes(place, LOOKED_AT) }).await?;
    for record in &mut records {
        record.functions.retain(|built| built.name.as_str() == name);
    }
    records.retain(|record| !record.functions.is_empty());
    records.truncate(RECENT);
    Ok(records)
}

fn troubles(function: &FunctionStatus) -> Vec<Trouble> {
    let plain = |line: &String| crate::ansi::plain(&crate::ansi::spans(line.as_bytes(), &mut Default::default()));
    let trouble = |condition: &sdk::gateway::Condition| Trouble {
        instance: condition.instance.clone(),
        message: condition.message.clone(),
        log: condition.log.iter().map(plain).collect::<Vec<_>>().join("\n"),
    };
    function.conditions.iter().map(trouble).collect()
}

fn totals(answer: &MetricsAnswer, figures: &Figures) -> Totals {
    let (good, bad) = (figures.success(), figures.failure());
    let shown = |pick: fn(sdk::metrics::Latency) -> f64| {
        figures.latency.map_or_else(|| "–".to_owned(), |latency| words::latency(pick(latency)))
    };
    Totals {
        calls: words::count(good + bad),
        errors: words::percent(bad, good + bad),
        p50: shown(|latency| latency.p50),
        p95: shown(|latency| latency.p95),
        p99: shown(|latency| latency.p99),
        source: match answer.source {
            Source::Prometheus => "Prometheus",
            Source::Gateway => "the gateway’s own history of a day",
        },
        since: words::moment(answer.since.saturating_mul(1000)),
    }
}

fn traffic(figures: &Figures) -> Option<Bars> {
    let (good, bad) = (figures.success(), figures.failure());
    if good + bad <= 0.0 || figures.series.is_empty() {
        return None;
    }
    let success: Vec<_> = figures.series.iter().map(|point| point.success).collect();
    let failure: Vec<_> = figures.series.iter().map(|point| point.failure).collect();
    let (success, failure) = chart::bars(&success, &failure, chart::WIDTH, chart::HEIGHT);
    let summary = format!("Calls over time: {} went well, {} failed.", words::count(good), words::count(bad));
    Some(Bars { success, failure, summary })
}

fn charts(figures: &Figures) -> Vec<Chart> {
    let points = &figures.series;
    let latency = |name, class, pick: fn(sdk::metrics::Latency) -> f64| Series {
        name,
        class,
        values: points.iter().map(|point| point.latency.map(pick)).collect(),
    };
    let latencies = [
        latency("p50", "line-a", |latency| latency.p50),
        latency("p95", "line-b", |latency| latency.p95),
        latency("p99", "line-c", |latency| latency.p99),
    ];
    let one = |name, values: Vec<Option<f64>>| [Series { name, class: "line-a", values }];
    let memory = one("in use", points.iter().map(|point| point.memory).collect());
    let cpu = one("in use", points.iter().map(|point| point.cpu).collect());
    let replicas = one("ready", points.iter().map(|point| point.replicas).collect());
    let all = [
        chart::lines("Latency", &latencies, words::latency),
        chart::lines("Memory", &memory, words::bytes),
        chart::lines("Processors", &cpu, words::processors),
        chart::lines("Replicas", &replicas, words::count),
    ];
    all.into_iter().flatten().collect()
}

fn settings(function: &FunctionStatus) -> Vec<(&'static str, String)> {
    let resources = |of: &Option<sdk::gateway::Resources>| {
        let of = of.clone().unwrap_or_default();
        let parts = [(of.memory, "memory"), (of.cpu, "processors")];
        parts
            .into_iter()
            .filter(|(value, _)| !value.is_empty())
            .map(|(value, what)| format!("{value} {what}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let annotation = |name: &str| function.annotations.get(name).cloned().unwrap_or_default();
    let access = match Access::of(function.annotations.get(labels::ACCESS).map(String::as_str)) {
        Access::Public => "Everybody",
        Access::Members => "Signed-in members",
        Access::Owner => "The owner alone",
    };
    let settings = [
        ("Image", function.image.clone()),
        ("Who may call", access.to_owned()),
        ("Limits", resources(&function.limits)),
        ("Set aside", resources(&function.requests)),
        ("Topic", annotation("topic")),
        ("Schedule", annotation("schedule")),
        ("Domains", annotation(labels::DOMAINS)),
        ("Root file system", if function.read_only_root_filesystem { "read-only" } else { "writable" }.to_owned()),
    ];
    settings.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}
