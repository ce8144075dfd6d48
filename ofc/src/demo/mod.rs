//! The whole platform in one go, as a person would try it: push, call, change a line, push, call again.

mod proof;
mod sample;
mod site;
mod visit;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::locate::Which;
use crate::terminal::{FAINT, GOOD, STRONG, duration, print, table};

use proof::Deployed;
use sample::Sample;
use site::Site;

/// Whose repository the sample becomes.
const REPOSITORY: &str = "demo/hello";

/// What the user decides about a demo.
#[derive(Debug, Clone)]
pub struct Options {
    /// The platform to use, or the data directory of the one to start.
    pub which: Which,
    /// Leave the platform running and everything deployed.
    pub keep: bool,
    /// Remove the built images too, so that the next demo builds them again.
    pub clean: bool,
}

/// Runs the demo.
///
/// # Errors
/// When any of its steps does not end as it should.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let mut site = Site::enter(&options.which, REPOSITORY.parse()?).await?;
    let outcome = tokio::select! {
        outcome = story(&site) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("the demo was interrupted")),
    };
    if outcome.is_err() {
        site.keep_log();
    }
    if options.keep && outcome.is_ok() {
        return site.stay();
    }
    let left = site.leave(options.clean).await;
    outcome.and(left)
}

async fn story(site: &Site) -> anyhow::Result<()> {
    let mut times = vec![("platform started", site.start_time())];
    let sample = Sample::lay_out(site)?;

    tell("A repository with three functions: greet (Rust), count (Python) and page (a Dockerfile)")?;
    times.push(("first push: three functions live", push(&sample).await?));
    let before = Deployed::look(site, sample.head()?).await?;
    before.expect_all_live(&sample::FUNCTIONS)?;
    times.push(("three calls through the router", call_all(site).await?));

    tell("One line of count/handler.py changes")?;
    print(&sample.change_one_line()?)?;
    times.push(("second push: one function replaced", push(&sample).await?));
    let after = Deployed::look(site, sample.head()?).await?;
    let verdict = after.expect_only_changed(&before, sample::CHANGED)?;
    visit::shown(site.record(), visit::CHANGED).await?;
    let built = match site.images_built().await? {
        0 => "Nothing had to be built: an earlier demo left the images.".to_owned(),
        1 => "1 image was built.".to_owned(),
        count => format!("{count} images were built."),
    };
    print(&format!("\n{GOOD}{verdict}{GOOD:#} {built}\n"))?;
    print(&summary(&times))?;
    Ok(())
}

fn tell(sentence: &str) -> anyhow::Result<()> {
    Ok(print(&format!("\n{STRONG}{sentence}{STRONG:#}\n"))?)
}

async fn push(sample: &Sample) -> anyhow::Result<Duration> {
    print(&format!("{FAINT}$ git push ofc main{FAINT:#}\n"))?;
    let started = Instant::now();
    sample.push().await?;
    Ok(started.elapsed())
}

async fn call_all(site: &Site) -> anyhow::Result<Duration> {
    let started = Instant::now();
    for call in visit::ALL {
        visit::shown(site.record(), call).await?;
    }
    Ok(started.elapsed())
}

fn summary(times: &[(&str, Duration)]) -> String {
    let times = times.iter().filter(|(_, time)| !time.is_zero());
    let rows: Vec<_> = times.map(|(what, time)| vec![(*what).to_owned(), duration(*time)]).collect();
    format!("\n{}", table(&rows))
}

/// Where temporary files are made.
fn scratch() -> PathBuf {
    std::env::temp_dir()
}
