//! Load by `wrk`, one thread and 64 connections.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// How long one round lasts.
const ROUND: &str = "2s";

/// What a round came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Milliseconds within which 99 of 100 requests were answered.
    pub(crate) p99: f64,
}

/// Requests a second that `url` answers. A wrk script makes other requests than GET.
pub(crate) fn rate(url: &str, script: Option<&Path>) -> Result<f64> {
    load(url, script).map(|load| load.rate)
}

/// The same, and how long they take.
pub(crate) fn load(url: &str, script: Option<&Path>) -> Result<Load> {
    let script = script.map(|script| ["-s".into(), script.as_os_str().to_owned()]);
    run(url, script.into_iter().flatten())
}

/// The same for a name that is not in the address.
pub(crate) fn load_at(url: &str, host: &str) -> Result<Load> {
    // Spelled so: wrk adds a second one to any other spelling.
    run(url, ["-H".into(), format!("Host: {host}").into()])
}

fn run(url: &str, more: impl IntoIterator<Item = OsString>) -> Result<Load> {
    let mut command = Command::new("wrk");
    command.args(["-t1", "-c64", "--latency", "-d", ROUND]).args(more);
    let output = command.arg(url).output().context("cannot start wrk; scripts/setup bench installs it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr));
    if let Some(line) = text.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")) {
        bail!("{url} did not answer every request well: {}", line.trim());
    }
    read(&text).with_context(|| format!("wrk printed something unreadable: {text}"))
}

fn read(text: &str) -> Option<Load> {
    let behind = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name));
    Some(Load { rate: behind("Requests/sec:")?.trim().parse().ok()?, p99: milliseconds(behind("99%")?.trim())? })
}

/// A time as wrk writes it: `870.00us`, `4.31ms`, `1.20s`.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4)];
    let (number, scale) = units.iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, scale)))?;
    Some(number.parse::<f64>().ok()? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_and_the_slowest_hundredth_are_read() {
        let text = "  Latency Distribution\n     50%    3.04ms\n     99%  870.00us\nRequests/sec:  20731.45\n";
        let load = read(text).unwrap();
        assert!((load.rate - 20_731.45).abs() < 1e-6 && (load.p99 - 0.87).abs() < 1e-6, "{load:?}");
        assert!(read("Requests/sec: soon").is_none());
    }

    #[test]
    fn times_come_in_several_units() {
        let read = ["870.00us", "4.31ms", "1.20s", "2.00m", "4.31"].map(milliseconds);
        let near = |value: Option<f64>, expected: f64| value.is_some_and(|value| (value - expected).abs() < 1e-6);
        assert!(near(read[0], 0.87) && near(read[1], 4.31) && near(read[2], 1200.0) && near(read[3], 120_000.0));
        assert_eq!(read[4], None);
    }
}
