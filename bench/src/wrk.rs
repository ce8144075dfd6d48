//! Load by `wrk`, one thread and 64 connections.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// How long one round lasts.
const ROUND: &str = "3s";

/// Requests a second that `url` answers. A wrk script makes other requests than GET.
pub(crate) fn rate(url: &str, script: Option<&Path>) -> Result<f64> {
    let mut command = Command::new("wrk");
    command.args(["-t1", "-c64", "-d", ROUND]);
    if let Some(script) = script {
        command.arg("-s").arg(script);
    }
    let output = command.arg(url).output().context("cannot start wrk; scripts/setup bench installs it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr));
    if let Some(line) = text.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")) {
        bail!("{url} did not answer every request well: {}", line.trim());
    }
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    rate.context("wrk printed no rate")?.trim().parse().context("wrk printed an unreadable rate")
}
