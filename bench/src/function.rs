//! A function on `template/rust`: throughput, memory and start.

use anyhow::Result;

use crate::child::Process;
use crate::report::{Report, Row, median};
use crate::servers::Server;
use crate::wrk;

/// Rounds, in each of which all servers take their turn.
const ROUNDS: usize = 5;
/// Starts that are timed.
const STARTS: usize = 21;

/// Measures line 5 of the budgets.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let template = Process::start(Server::Template, &[])?;
    let hyper = Process::start(Server::Hyper, &[])?;
    let fork = Process::start(Server::Fork, &[])?;
    let idle = template.resident_mib()?;
    let [mut ours, mut bare, mut forked] = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        ours.push(wrk::rate(&template.url, None)?);
        bare.push(wrk::rate(&hyper.url, None)?);
        forked.push(wrk::rate(&fork.url, None)?);
    }
    let loaded = template.resident_mib()?;
    let ratio = |peer: &[f64]| median(ours.iter().zip(peer).map(|(ours, peer)| ours / peer).collect());
    let rate = |rates: &[f64]| format!("{:.0}/s", median(rates.to_vec()));
    for (peer, rates, least) in [("bare hyper", &bare, 0.8), ("a process per request", &forked, 60.0)] {
        let ratio = ratio(rates);
        report.add(Row {
            what: format!("function on template/rust, requests, beside {peer}"),
            ours: rate(&ours),
            peer: format!("{peer} {}", rate(rates)),
            ratio: format!("{ratio:.2}"),
            budget: format!("≥ {least}"),
            holds: ratio >= least,
        });
    }
    report.add(absolute("function on template/rust, resident when idle", idle, "MiB", 10.0));
    report.add(absolute("function on template/rust, resident after the load", loaded, "MiB", 10.0));
    let starts = (0..STARTS).map(|_| Ok(Process::start(Server::Template, &[])?.started_in.as_secs_f64() * 1e3));
    let start = median(starts.collect::<Result<_>>()?);
    report.add(absolute("function on template/rust, start", start, "ms", 20.0));
    Ok(())
}

/// A row whose budget is a figure that must not be passed.
pub(crate) fn absolute(what: &str, value: f64, unit: &str, most: f64) -> Row {
    Row {
        what: what.to_owned(),
        ours: format!("{value:.1} {unit}"),
        peer: String::new(),
        ratio: String::new(),
        budget: format!("≤ {most} {unit}"),
        holds: value <= most,
    }
}
