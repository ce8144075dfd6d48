//! A function on `template/rust`: throughput, memory and start.

use anyhow::Result;

use crate::child::Process;
use crate::report::{Report, Row, median};
use crate::wrk;

/// Rounds, in each of which all servers take their turn.
const ROUNDS: usize = 5;
/// What the original makes of it: the classic watchdog with the original's `echo`, in Go, answered 1,430 requests a
/// second on a machine on which this peer, with `cat`, answered 2,310. It cannot be built here each time.
const ORIGINAL_OF_FORK: f64 = 0.62;
/// Starts that are timed.
const STARTS: usize = 21;

/// Measures line 5 of the budgets.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let template = Process::start_function("template")?;
    let hyper = Process::start_function("hyper")?;
    let fork = Process::start_function("fork")?;
    let idle = template.resident_mib()?;
    let [mut ours, mut bare, mut forked] = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        ours.push(wrk::rate(&template.url, None)?);
        bare.push(wrk::rate(&hyper.url, None)?);
    }
    let loaded = template.resident_mib()?;
    // Apart from the others: what thousands of processes leave to clear up would fall to whoever comes next.
    for _ in 0..ROUNDS {
        forked.push(wrk::rate(&fork.url, None)?);
    }
    let ratio = |peer: &[f64]| median(ours.iter().zip(peer).map(|(ours, peer)| ours / peer).collect());
    let rate = |rates: &[f64]| format!("{:.0}/s", median(rates.to_vec()));
    let fork_least = 60.0 * ORIGINAL_OF_FORK;
    for (peer, rates, least, budget) in [
        ("bare hyper", &bare, 0.8, "≥ 0.8".to_owned()),
        ("a process per request", &forked, fork_least, format!("≥ {fork_least:.0}, 60 × the original")),
    ] {
        let ratio = ratio(rates);
        report.add(Row {
            what: format!("function on template/rust, requests, beside {peer}"),
            ours: rate(&ours),
            peer: format!("{peer} {}", rate(rates)),
            ratio: format!("{ratio:.2}"),
            budget,
            holds: ratio >= least,
        });
    }
    report.add(absolute("function on template/rust, resident when idle", idle, "MiB", 10.0));
    report.add(absolute("function on template/rust, resident after the load", loaded, "MiB", 10.0));
    let starts = (0..STARTS).map(|_| Ok(Process::start_function("template")?.started_in.as_secs_f64() * 1e3));
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
