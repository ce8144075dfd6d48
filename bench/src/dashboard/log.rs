//! A build's log of 50 MB, kept part by part and opened at its end, beside the tools of a shell on the same file.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use sdk::identity::Identity;
use sdk::pipeline_log::{LogKey, LogPart};
use sdk::status::State;

use super::page::{millis, slowest};
use super::place::{Place, build, build_page, owner, push};
use crate::report::{Report, Row, median};

/// How long the log is at least, in bytes.
const LOG: usize = 50_000_000;
/// As `buildshiprun` sends them.
const PART: usize = 256 * 1024;
/// As much as the page shows.
const PAGE: usize = 192 * 1024;
const ROUNDS: usize = 20;
/// In milliseconds.
const MOST_TIME: f64 = 300.0;
/// What the process may need more than before while it packs the log and while somebody reads it whole, in MiB.
const MOST_MEMORY: f64 = 64.0;

pub(super) async fn measure(report: &mut Report) -> Result<()> {
    let (place, who, key) = (Place::open()?, owner()?, build(1)?);
    place.record(&push(&key, 1, State::Success)?).await?;
    place.text(&who, &build_page(&key, "")).await?;
    let before = place.process().peak_mib()?;
    let (bytes, end, joined) = fill(&place, &key).await?;
    ensure!(place.read_whole(&key).await? == bytes, "the log is not kept whole");
    let added = place.process().peak_mib()? - before;
    let packed = place.packed(&key);
    let on_disk = packed.metadata().context("the log is not where it is kept")?.len();
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(open(&place, &who, &key).await?);
        peers.push(tail(&packed, &end)?);
    }
    let text = place.text(&who, &build_page(&key, "")).await?;
    ensure!(text.contains(end.trim_end()) && text.contains("Earlier lines"), "the page does not show the log's end");
    let slow = slowest(&ours);
    report.add(Row {
        what: format!("dashboard, a build's log of {:.0} MB opened at its end", bytes as f64 / 1e6),
        ours: format!("{:.1} ms (the slowest: {slow:.1} ms)", median(ours.clone())),
        peer: format!("zcat | tail {:.0} ms", median(peers.clone())),
        ratio: format!("{:.3}", median(ours.iter().zip(&peers).map(|(ours, peer)| ours / peer).collect())),
        budget: format!("≤ {MOST_TIME} ms"),
        holds: slow <= MOST_TIME,
    });
    report.add(Row {
        what: "pipeline-log, memory to pack that log, and to read it whole".to_owned(),
        ours: format!("{added:.1} MiB more (packed in {joined:.1} s to {:.1} MB)", on_disk as f64 / 1e6),
        peer: String::new(),
        ratio: String::new(),
        budget: format!("≤ {MOST_MEMORY} MiB"),
        holds: added <= MOST_MEMORY,
    });
    Ok(())
}

/// Sends the log; its length, its last line, and how long the last part took, which joins all of them.
async fn fill(place: &Place, key: &LogKey) -> Result<(u64, String, f64)> {
    let (mut bytes, mut number, mut last) = (0, 0_u64, String::new());
    for part in 0.. {
        let mut text = String::with_capacity(PART);
        while text.len() < PART {
            last = line(number);
            text.push_str(&last);
            number += 1;
        }
        bytes += text.len();
        let last_part = bytes >= LOG;
        let began = Instant::now();
        place.keep(&LogPart { key: key.clone(), part, text, last: last_part }).await?;
        if last_part {
            return Ok((bytes as u64, last, began.elapsed().as_secs_f64()));
        }
    }
    unreachable!("parts go on until the log is long enough")
}

/// As builds write: much that is the same, and something that is new in every line.
fn line(number: u64) -> String {
    let digest = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let seconds = number as f64 / 1000.0;
    match number % 3 {
        0 => format!("#14 {seconds:.3}    Compiling crate-{} v1.{}.{}\n", digest % 977, digest % 31, digest % 17),
        1 => format!("#14 {seconds:.3} npm http fetch GET 200 https://registry.example.com/package-{digest:x} 31ms\n"),
        _ => format!("#15 {seconds:.3} sha256:{digest:016x}{:016x} done\n", digest.rotate_left(23)),
    }
}

async fn open(place: &Place, who: &Identity, key: &LogKey) -> Result<f64> {
    let began = Instant::now();
    let page = place.open_page(who, &build_page(key, "")).await?.bytes().await?;
    let took = millis(began);
    ensure!(page.len() > PAGE / 20, "the page has only {} bytes", page.len());
    Ok(took)
}

fn tail(file: &Path, end: &str) -> Result<f64> {
    let began = Instant::now();
    let script = format!("zcat \"$1\" | tail -c {PAGE}");
    let output = Command::new("sh").args(["-c", &script, "sh"]).arg(file).output()?;
    let took = millis(began);
    ensure!(output.stdout.len() == PAGE && output.stdout.ends_with(end.as_bytes()), "zcat does not print the log");
    Ok(took)
}
