//! What the router holds in memory: connections that do nothing, and bodies that are larger than it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::place::{HOST, LARGE, Place};
use crate::child::{allow_many_files, peak_mib, resident_mib};
use crate::report::{Report, Row};

const IDLE: usize = 10_000;
/// What is measured is the state a moment after the last request.
const REST: Duration = Duration::from_secs(1);
/// What a body may add to the memory, in MiB.
const MOST_ADDED: f64 = 16.0;

pub(super) fn measure(place: &Place, report: &mut Report) -> Result<()> {
    // The peak of the streams is looked at first: that of many connections would hide it.
    streams(place, report)?;
    idle(place, report)
}

fn idle(place: &Place, report: &mut Report) -> Result<()> {
    // Only for this process: the router has started, and its limit is what it was given.
    allow_many_files()?;
    let mut connections = Vec::with_capacity(IDLE);
    for _ in 0..IDLE {
        let mut stream = place.connect().context("no further connection: is the limit of open files too low?")?;
        ask(&mut stream, "GET", "/hello", "")?;
        let mut answer = [0; 1024];
        let count = stream.read(&mut answer)?;
        ensure!(answer[..count].ends_with(b"hello"), "the router did not answer well");
        connections.push(stream);
    }
    std::thread::sleep(REST);
    let resident = resident_mib(place.pid())?;
    drop(connections);
    report.add(absolute(
        "router, resident with 10,000 idle connections",
        format!("{resident:.0} MiB"),
        resident,
        114.0,
    ));
    Ok(())
}

fn streams(place: &Place, report: &mut Report) -> Result<()> {
    let before = peak_mib(place.pid())?;
    let began = Instant::now();
    let mut stream = place.connect()?;
    ask(&mut stream, "GET", "/large", "connection: close\r\n")?;
    let mut block = vec![0; 256 * 1024];
    let mut length = 0;
    loop {
        match stream.read(&mut block)? {
            0 => break,
            count => length += count as u64,
        }
    }
    ensure!(length > LARGE, "only {length} bytes came down");
    let down = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let mut stream = place.connect()?;
    ask(&mut stream, "POST", "/sink", &format!("connection: close\r\ncontent-length: {LARGE}\r\n"))?;
    block.fill(0);
    for _ in 0..LARGE / block.len() as u64 {
        stream.write_all(&block)?;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.ends_with(&LARGE.to_string()), "the upload did not arrive: {answer}");
    let up = began.elapsed().as_secs_f64();
    let added = peak_mib(place.pid())? - before;
    let figure = format!("{added:.1} MiB more ({down:.1} s down, {up:.1} s up)");
    report.add(absolute("router, memory for 1 GiB down and up", figure, added, MOST_ADDED));
    Ok(())
}

fn ask(stream: &mut TcpStream, method: &str, path: &str, more: &str) -> Result<()> {
    stream.write_all(format!("{method} {path} HTTP/1.1\r\nhost: {HOST}\r\n{more}\r\n").as_bytes())?;
    Ok(())
}

fn absolute(what: &str, ours: String, figure: f64, most: f64) -> Row {
    Row {
        what: what.to_owned(),
        ours,
        peer: String::new(),
        ratio: String::new(),
        budget: format!("≤ {most} MiB"),
        holds: figure <= most,
    }
}
