//! One function: how it does, what it is, and what was done to it.

use askama::Template;
use axum::response::Response;
use sdk::access::Access;
use sdk::gateway::FunctionStatus;
use sdk::history::{HistoryRequest, PushRecord};
use sdk::labels;
use sdk::metrics::{Figures, MetricsAnswer, Point, Source, Window};
use serde::Deserialize;

use super::push::{self, Push};
use super::standing::{self, Origin, Standing};
use crate::address::Visit;
use crate::app::App;
use crate::ask::{self, Answer};
use crate::chart::{self, Axis, Chart, Series};
use crate::page::{self, Shell};
use crate::refusal::Refusal;
use crate::visitor::Place;
use crate::words;

const POINTS: usize = 60;
const RECENT: usize = 8;
/// So many pushes of the repository are looked through for those of the function.
const LOOKED_AT: usize = 40;

/// Longer names and values are cut, in characters.
const MAX_TEXT: usize = 500;
/// More of one kind are not listed.
const MAX_LISTED: usize = 200;
/// So many lines of a replica that fails.
const MAX_LOG: usize = 50;

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
    badge: Option<Badge>,
    troubles: Vec<Trouble>,
    windows: Vec<(&'static str, bool)>,
    /// What the graphs begin with.
    begin: &'static str,
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

struct Badge {
    /// At this host.
    path: String,
    /// To be put into a page elsewhere; not known where our own address is not.
    markdown: Option<String>,
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

pub(crate) async fn show(Visit { app, place, name, asked }: Visit<Asked>) -> Result<Response, Refusal> {
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
    let seconds = asked.window.seconds();
    let axis = metrics.map(|answer| Axis { until: answer.until, seconds, slots: POINTS });
    Page {
        shell: Shell::about(place, &name, &name, "overview"),
        url: app.public_url(place.owner.as_str(), &name),
        standing: standing::of(function),
        origin: standing::origin(function),
        replicas: format!("{} of {} ready", function.available_replicas, function.replicas),
        badge: badge(app, place, function, &name),
        troubles: troubles(function),
        begin: begin(asked.window),
        windows: windows.into_iter().map(|window| (window.as_str(), window == asked.window)).collect(),
        totals: metrics.zip(figures).map(|(answer, figures)| totals(answer, figures)),
        traffic: axis.zip(figures).and_then(|(axis, figures)| traffic(axis, figures)),
        charts: axis.zip(figures).map(|(axis, figures)| charts(axis, figures)).unwrap_or_default(),
        settings: settings(function),
        environment: function.env_vars.keys().take(MAX_LISTED).map(|name| push::cut(name, MAX_TEXT)).collect(),
        secrets: function.secrets.iter().take(MAX_LISTED).map(|name| push::cut(name, MAX_TEXT)).collect(),
        recent: Vec::new(),
        down: Vec::new(),
        may_act: place.may_act(),
        wanted: function.replicas,
        token: app.forms.token(&place.visitor.who),
        done: asked.done.as_deref().and_then(done),
        name,
    }
}

fn badge(app: &App, place: &Place, function: &FunctionStatus, name: &str) -> Option<Badge> {
    let path = app.badges.path(function)?;
    let both = app.system_url().zip(app.public_url(place.owner.as_str(), name));
    let markdown = both.map(|(system, link)| format!("[![{name}]({system}{path})]({link})"));
    Some(Badge { path, markdown })
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
        instance: push::cut(&condition.instance, MAX_TEXT),
        message: push::cut(&condition.message, MAX_TEXT),
        log: condition.log.iter().take(MAX_LOG).map(plain).collect::<Vec<_>>().join("\n"),
    };
    function.conditions.iter().take(MAX_LISTED).map(trouble).collect()
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

fn begin(window: Window) -> &'static str {
    match window {
        Window::Hour => "1 hour ago",
        Window::Day => "24 hours ago",
        Window::Week => "7 days ago",
    }
}

fn traffic(axis: Axis, figures: &Figures) -> Option<Bars> {
    let (good, bad) = (figures.success(), figures.failure());
    if good + bad <= 0.0 || figures.series.is_empty() {
        return None;
    }
    let (success, failure) = chart::bars(axis, &chart::calls(&figures.series), chart::WIDTH, chart::HEIGHT);
    let summary = format!("Calls over time: {} went well, {} failed.", words::count(good), words::count(bad));
    Some(Bars { success, failure, summary })
}

fn charts(axis: Axis, figures: &Figures) -> Vec<Chart> {
    let values = |pick: &dyn Fn(&Point) -> Option<f64>| figures.series.iter().map(|p| (p.at, pick(p))).collect();
    let latency = |name, class, pick: fn(sdk::metrics::Latency) -> f64| {
        let values = values(&|point| point.latency.map(pick));
        Series { name, class, values }
    };
    let latencies = [
        latency("p50", "line-a", |latency| latency.p50),
        latency("p95", "line-b", |latency| latency.p95),
        latency("p99", "line-c", |latency| latency.p99),
    ];
    let one = |name, pick: fn(&Point) -> Option<f64>| [Series { name, class: "line-a", values: values(&pick) }];
    let all = [
        chart::lines("Latency", axis, &latencies, words::latency),
        chart::lines("Memory", axis, &one("in use", |point| point.memory), words::bytes),
        chart::lines("Processors", axis, &one("in use", |point| point.cpu), words::processors),
        chart::lines("Replicas", axis, &one("ready", |point| point.replicas), words::count),
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
    let settings = settings.into_iter().filter(|(_, value)| !value.is_empty());
    settings.map(|(name, value)| (name, push::cut(&value, MAX_TEXT))).collect()
}
