//! The whole platform at rest.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::child::{resident_mib, terminate};
use crate::function::absolute;
use crate::report::Report;

/// How long it may take to start.
const START_LIMIT: Duration = Duration::from_secs(30);
/// What is measured is the state some time after the start, when its buffers are given back.
const REST: Duration = Duration::from_secs(5);

/// Measures line 6 of the budgets.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let data = tempfile::tempdir()?;
    let program: PathBuf = std::env::current_exe()?.with_file_name("ofc");
    let mut command = Command::new(&program);
    command.args(["up", "--port", "0", "--gateway-port", "0", "--data"]).arg(data.path().join("data"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child
        .with_context(|| format!("cannot start {}: build it with cargo build --release -p ofc", program.display()))?;
    let mut platform = Platform(child);
    platform.wait_for_banner()?;
    std::thread::sleep(REST);
    report.add(absolute(
        "the whole platform under ofc up, idle, resident",
        resident_mib(platform.0.id())?,
        "MiB",
        80.0,
    ));
    Ok(())
}

struct Platform(Child);

impl Platform {
    fn wait_for_banner(&mut self) -> Result<()> {
        let began = Instant::now();
        let output = self.0.stdout.take().context("no standard output")?;
        for line in BufReader::new(output).lines() {
            if line?.contains("http://") {
                return Ok(());
            }
            if began.elapsed() > START_LIMIT {
                break;
            }
        }
        bail!("ofc up did not start");
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        terminate(&self.0);
        let _ = self.0.wait();
    }
}
