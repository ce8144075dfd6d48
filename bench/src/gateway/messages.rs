//! Asynchronous calls: stored and confirmed, then made.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::block_in_place;

use super::image::Image;
use super::load::post_all;
use super::nats::Nats;
use super::program::{Program, order_with};
use super::sqlite;
use crate::report::{Report, Row, median};

const ROUNDS: u64 = 3;
/// Messages of a round.
const MESSAGES: u64 = 20_000;
const FUNCTION: &str = "counter";
/// How long the queue may take to make all calls of a round.
const LIMIT: Duration = Duration::from_secs(120);

/// How long a round's messages took, both from its beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seconds {
    /// Until the last was confirmed as stored.
    pub(super) taken: f64,
    /// Until the last was done with.
    pub(super) done: f64,
}

/// What came of all rounds with one store.
struct Outcome {
    ours: Vec<Seconds>,
    peers: Vec<Seconds>,
    /// Calls that were made more than once.
    repeated: u64,
}

/// Measures both stores.
pub(super) async fn measure(image: &Image, report: &mut Report) -> Result<()> {
    let outcome = embedded(image).await?;
    rows(report, "embedded store", "SQLite alone", &outcome, 3000.0);
    let outcome = jetstream(image).await?;
    rows(report, "JetStream", "async-nats alone", &outcome, 5000.0);
    Ok(())
}

async fn embedded(image: &Image) -> Result<Outcome> {
    let gateway = Program::start(image, &[]).await?;
    deploy(&gateway, image).await?;
    let directory = tempfile::tempdir()?;
    let (mut ours, mut peers, mut repeated) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let (seconds, again) = send(&gateway, round).await?;
        ours.push(seconds);
        repeated = again;
        peers.push(block_in_place(|| sqlite::measure(directory.path(), 0..MESSAGES))?);
    }
    Ok(Outcome { ours, peers, repeated })
}

async fn jetstream(image: &Image) -> Result<Outcome> {
    let nats = Nats::start().await?;
    let gateway = Program::start(image, &nats.variables()).await?;
    deploy(&gateway, image).await?;
    let (mut ours, mut peers, mut repeated) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let (seconds, again) = send(&gateway, round).await?;
        ours.push(seconds);
        repeated = again;
        peers.push(nats.measure(0..MESSAGES).await?);
    }
    Ok(Outcome { ours, peers, repeated })
}

async fn deploy(gateway: &Program, image: &Image) -> Result<()> {
    gateway.deploy(&order_with(image, FUNCTION, "mode", "count")).await
}

/// Sends a round's messages and waits until each was brought to the function; answers with the calls beyond one for
/// each message, of all rounds so far.
async fn send(gateway: &Program, round: u64) -> Result<(Seconds, u64)> {
    let (first, all) = (round * MESSAGES, (round + 1) * MESSAGES);
    let began = Instant::now();
    post_all(&format!("{}async-function/{FUNCTION}", gateway.url), first..all).await?;
    let taken = began.elapsed().as_secs_f64();
    loop {
        let (different, calls) = counted(gateway).await?;
        if different == all {
            return Ok((Seconds { taken, done: began.elapsed().as_secs_f64() }, calls - different));
        }
        ensure!(began.elapsed() < LIMIT, "only {different} of {all} messages came within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What the function says: different messages, and calls.
async fn counted(gateway: &Program) -> Result<(u64, u64)> {
    let answer = gateway.client.get(gateway.function(FUNCTION)).send().await?.error_for_status()?.text().await?;
    let (different, calls) = answer.split_once(' ').context("the function does not count")?;
    Ok((different.parse()?, calls.parse()?))
}

fn rows(report: &mut Report, store: &str, peer: &str, outcome: &Outcome, least: f64) {
    let mut add = |what: &str, seconds: fn(&Seconds) -> f64| {
        let rates = |of: &[Seconds]| of.iter().map(|one| MESSAGES as f64 / seconds(one)).collect::<Vec<_>>();
        let (ours, peers) = (rates(&outcome.ours), rates(&outcome.peers));
        let ratio = median(ours.iter().zip(&peers).map(|(ours, peer)| ours / peer).collect());
        let rate = median(ours);
        report.add(Row {
            what: format!("asynchronous calls {what}, {store}"),
            ours: format!("{rate:.0}/s, 0 lost, {} repeated", outcome.repeated),
            peer: format!("{peer} {:.0}/s", median(peers)),
            ratio: format!("{ratio:.2}"),
            budget: format!("≥ {least:.0}/s"),
            holds: rate >= least,
        });
    };
    add("stored", |seconds| seconds.taken);
    add("stored and made", |seconds| seconds.done);
}
