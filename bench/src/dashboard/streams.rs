//! Live pages of a build under way, beside nginx in front of as many streams of a server that does nothing else.

mod peer;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sdk::pipeline_log::{LogKey, LogPart};
use sdk::status::State;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::peer::Peer;
use super::place::{Place, build, build_page, member, push};
use crate::child::allow_many_files;
use crate::report::{Report, Row, median};

const STREAMS: usize = 500;
/// As many as the dashboard lets one person have.
const PER_PERSON: usize = 20;
/// Lines that are written while all are open.
const LINES: usize = 9;
/// In MiB, the whole process.
const MOST_MEMORY: f64 = 60.0;
/// In milliseconds.
const MOST_TIME: f64 = 1000.0;
/// What is measured is the state a moment after the last one was opened.
const REST: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

/// What 500 streams came to.
struct Figures {
    before: f64,
    after: f64,
    /// Until all of them had a line, for each line, in milliseconds.
    times: Vec<f64>,
}

pub(super) async fn measure(report: &mut Report) -> Result<()> {
    allow_many_files()?;
    let ours = dashboard().await?;
    let peer = peer().await?;
    let added = |figures: &Figures| figures.after - figures.before;
    report.add(Row {
        what: format!("dashboard, memory for {STREAMS} live pages of a build under way"),
        ours: format!("{:.1} MiB (the whole process: {:.1} MiB)", added(&ours), ours.after),
        peer: format!("nginx alone, proxy_pass: {:.1} MiB for as many", added(&peer)),
        ratio: format!("{:.1}", added(&ours) / added(&peer)),
        budget: format!("≤ {MOST_MEMORY} MiB"),
        holds: ours.after <= MOST_MEMORY,
    });
    let worst = ours.times.iter().copied().fold(f64::NAN, f64::max);
    let times = |figures: &Figures| median(figures.times.clone());
    report.add(Row {
        what: "dashboard, from a line's sending until all of them have it".to_owned(),
        ours: format!("{:.0} ms (the slowest of {LINES} lines: {worst:.0} ms)", times(&ours)),
        peer: format!("nginx, proxy_pass {:.0} ms", times(&peer)),
        ratio: format!("{:.1}", times(&ours) / times(&peer)),
        budget: format!("≤ {MOST_TIME} ms"),
        holds: worst <= MOST_TIME,
    });
    Ok(())
}

async fn dashboard() -> Result<Figures> {
    let (place, key) = (Place::open()?, build(1)?);
    place.record(&push(&key, 1, State::InProgress)?).await?;
    place.keep(&part(&key, 0, &line(0), false)).await?;
    // One page is looked at before, for what there is only once.
    place.text(&member(0)?, &build_page(&key, "")).await?;
    let before = place.process().resident_mib()?;
    let mut readers = Readers::default();
    for number in 0..STREAMS {
        let who = member((number / PER_PERSON) as u64)?;
        readers.add(place.open_page(&who, &format!("{}&from=0", build_page(&key, "/live"))).await?);
    }
    readers.all_have(&line(0)).await?;
    tokio::time::sleep(REST).await;
    let mut times = Vec::new();
    for number in 1..=LINES {
        let began = Instant::now();
        place.keep(&part(&key, u32::try_from(number)?, &line(number), false)).await?;
        times.push((readers.all_have(&line(number)).await? - began).as_secs_f64() * 1e3);
    }
    let after = place.process().resident_mib()?;
    // That they end with the build shows that none broke off.
    place.keep(&part(&key, u32::try_from(LINES + 1)?, "", true)).await?;
    readers.all_have("event: end").await?;
    Ok(Figures { before, after, times })
}

async fn peer() -> Result<Figures> {
    let peer = Peer::start().await?;
    let client = sdk::http::client();
    let before = peer.nginx.resident_mib()?;
    let mut readers = Readers::default();
    for _ in 0..STREAMS {
        readers.add(client.get(&peer.nginx.url).send().await?.error_for_status()?);
    }
    peer.wait_for(STREAMS).await?;
    tokio::time::sleep(REST).await;
    let mut times = Vec::new();
    for number in 1..=LINES {
        let began = Instant::now();
        peer.send(line(number))?;
        times.push((readers.all_have(&line(number)).await? - began).as_secs_f64() * 1e3);
    }
    Ok(Figures { before, after: peer.nginx.resident_mib()?, times })
}

fn line(number: usize) -> String {
    format!("#{number} the line with the number {number} of this build")
}

fn part(key: &LogKey, part: u32, line: &str, last: bool) -> LogPart {
    let text = if line.is_empty() { String::new() } else { format!("{line}\n") };
    LogPart { key: key.clone(), part, text, last }
}

/// Everybody who reads. Each tells of every event that came to it.
struct Readers {
    tasks: JoinSet<()>,
    sender: mpsc::UnboundedSender<(Instant, String)>,
    events: mpsc::UnboundedReceiver<(Instant, String)>,
}

impl Default for Readers {
    fn default() -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        Self { tasks: JoinSet::new(), sender, events }
    }
}

impl Readers {
    fn add(&mut self, mut response: reqwest::Response) {
        let sender = self.sender.clone();
        self.tasks.spawn(async move {
            let mut text = String::new();
            while let Ok(Some(chunk)) = response.chunk().await {
                text.push_str(&String::from_utf8_lossy(&chunk));
                while let Some((event, rest)) = text.split_once("\n\n") {
                    let _ = sender.send((Instant::now(), event.to_owned()));
                    text = rest.to_owned();
                }
            }
        });
    }

    /// Waits until each of them has an event with this text; when the last one had it.
    async fn all_have(&mut self, text: &str) -> Result<Instant> {
        let (mut count, mut last) = (0, None);
        while count < self.tasks.len() {
            let next = tokio::time::timeout(PATIENCE, self.events.recv()).await;
            let next = next.with_context(|| format!("only {count} streams have {text:?}"))?;
            let (when, event) = next.context("nobody reads")?;
            if event.contains(text) {
                (count, last) = (count + 1, last.max(Some(when)));
            }
        }
        ensure!(count == STREAMS, "only {count} streams are open");
        last.context("there are no streams")
    }
}
