//! What a function wrote while it ran: searched, by time, and live.

mod live;

use askama::Template;
use axum::response::Response;
use sdk::function_log::{FunctionLogRequest, Line, MAX_GREP_BYTES};
use serde::Deserialize;

pub(crate) use self::live::live;

use crate::address::Visit;
use crate::ansi::{self, Look, Span};
use crate::app::App;
use crate::ask;
use crate::page::{self, Shell};
use crate::refusal::Refusal;
use crate::visitor::Place;
use crate::words::{self, Moment};

/// A page shows at most so many lines, the newest.
const LINES: usize = 500;
/// And so many bytes of them: with each character escaped, that is still a page.
const MAX_TEXT: usize = 1024 * 1024;
/// Replicas with longer names cannot be chosen, in bytes.
const MAX_NAME: usize = 64;
/// Time spans to choose from, in minutes.
const RANGES: [(&str, &str, u64); 6] = [
    ("15m", "15 minutes", 15),
    ("1h", "1 hour", 60),
    ("6h", "6 hours", 360),
    ("24h", "24 hours", 1440),
    ("7d", "7 days", 10_080),
    ("all", "All that is kept", 0),
];

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    range: String,
    #[serde(default)]
    grep: String,
    #[serde(default)]
    instance: String,
    /// In milliseconds since 1970: the page before.
    until: Option<u64>,
    /// Where a live log goes on that was not broken off.
    since: Option<u64>,
}

#[derive(Template)]
#[template(path = "logs.html")]
struct Page {
    shell: Shell,
    function: String,
    lines: Vec<Shown>,
    ranges: Vec<(&'static str, &'static str, bool)>,
    grep: String,
    /// As it stands in an address.
    grep_query: String,
    instance: String,
    instance_query: String,
    instances: Vec<String>,
    older: Option<u64>,
    live: bool,
    since: u64,
    down: Option<String>,
}

struct Shown {
    moment: Moment,
    instance: String,
    spans: Vec<Span>,
}

pub(crate) async fn show(Visit { app, place, name, asked }: Visit<Asked>) -> Result<Response, Refusal> {
    let request = request(&app, &place, &name, &asked).await?;
    let answer = ask::lines(&app, &place, &request).await;
    let down = answer.as_ref().err().map(ToString::to_string);
    let (lines, is_cut) = newest(answer.unwrap_or_default());
    let (range, ..) = range(&asked.range);
    let mut instances: Vec<_> =
        lines.iter().map(|line| line.instance.clone()).filter(|name| (1..=MAX_NAME).contains(&name.len())).collect();
    instances.sort();
    instances.dedup();
    Ok(page::good(&Page {
        shell: Shell::about(&place, &name, &format!("Log of {name}"), "logs"),
        ranges: RANGES.into_iter().map(|(value, label, _)| (value, label, value == range)).collect(),
        grep_query: words::query(request.grep.as_deref().unwrap_or_default()),
        grep: request.grep.unwrap_or_default(),
        instance_query: words::query(request.instance.as_deref().unwrap_or_default()),
        instance: request.instance.unwrap_or_default(),
        instances,
        older: (is_cut || lines.len() >= LINES).then(|| lines.first().map(|line| line.at)).flatten(),
        live: asked.until.is_none() && down.is_none(),
        since: lines.last().map_or_else(words::now, |line| line.at.saturating_add(1)),
        lines: lines.iter().map(shown).collect(),
        function: name,
        down,
    }))
}

/// The newest lines that a page has room for, and whether those are not all.
fn newest(mut lines: Vec<Line>) -> (Vec<Line>, bool) {
    let weight = |line: &Line| line.text.len().min(ansi::MAX_LINE) + line.instance.len();
    let sums = lines.iter().rev().scan(0, |sum, line| {
        *sum += weight(line);
        Some(*sum)
    });
    let room = sums.take(LINES).take_while(|sum| *sum <= MAX_TEXT).count();
    let first = lines.len() - room;
    (lines.split_off(first), first > 0)
}

/// What is asked, once the function is known to be the owner's.
async fn request(app: &App, place: &Place, name: &str, asked: &Asked) -> Result<FunctionLogRequest, Refusal> {
    let found = ask::function(app, place, name).await.map_err(|down| Refusal::Down(down.0))?;
    let function = found.ok_or(Refusal::NotFound)?.name.parse().map_err(|_| Refusal::NotFound)?;
    let (.., minutes) = range(&asked.range);
    let mut grep = asked.grep.trim().to_owned();
    grep.truncate(grep.floor_char_boundary(MAX_GREP_BYTES));
    let instance: String = asked.instance.trim().chars().take(100).collect();
    Ok(FunctionLogRequest {
        owner_id: place.id.clone(),
        function,
        since: (minutes > 0).then(|| words::now().saturating_sub(minutes * 60_000)),
        until: asked.until,
        grep: Some(grep).filter(|text| !text.is_empty()),
        instance: Some(instance).filter(|text| !text.is_empty()),
        tail: Some(LINES),
    })
}

fn range(asked: &str) -> (&'static str, &'static str, u64) {
    RANGES.into_iter().find(|(value, ..)| *value == asked).unwrap_or(RANGES[1])
}

fn shown(line: &Line) -> Shown {
    let spans = ansi::spans(line.text.as_bytes(), &mut Look::default());
    Shown { moment: words::moment(line.at), instance: short_instance(&line.instance), spans }
}

/// The end of a replica's name, which tells replicas apart.
fn short_instance(instance: &str) -> String {
    let count = instance.chars().count();
    instance.chars().skip(count.saturating_sub(12)).filter(|c| !ansi::is_unseen(*c)).collect()
}
