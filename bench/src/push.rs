//! From a push to the last deployment: the pipeline's own time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::block_in_place;

use crate::pipeline::Pipeline;
use crate::report::{Report, Row, median};
use crate::repository::{OWNER, Repository};
use crate::stub::Seen;

const ROUNDS: usize = 11;
/// Of the second repository of line 1.
const HISTORY: usize = 5000;
/// Functions of the stack of line 2.
const STACK: usize = 50;
/// What a source-code host takes for a status.
const STATUS_TIME: Duration = Duration::from_millis(200);
/// What reporting may add to a push, in milliseconds.
const REPORTING: f64 = 20.0;

/// How long it may take until the first status can be seen, in milliseconds, at a host that answers at once.
const MOST_PENDING: f64 = 300.0;

/// Measures line 1 of the budgets: 5 small functions, all changed.
pub(crate) async fn measure_push(report: &mut Report) -> Result<()> {
    let pipeline = Pipeline::start().await?;
    let repository =
        |history: usize, name: &str| Repository::make(5, history, &pipeline.git, name, Pipeline::authorization(OWNER)?);
    let (fresh, old) = (repository(0, "fresh")?, repository(HISTORY, "old")?);
    let [mut times, mut old_times, mut clones, mut old_clones, mut pending] = [const { Vec::new() }; 5];
    for round in 0..=ROUNDS {
        let seen = deploy_all(&pipeline, &fresh, round)?;
        let time = millis(seen.webhook, seen.deployed)?;
        let visible = millis(seen.webhook, seen.pending)?;
        let old_time = to_last_deployment(&pipeline, &old, round)?;
        let clone = timed(|| fresh.clone_and_pack())?;
        let old_clone = timed(|| old.clone_and_pack())?;
        // The first round fills caches.
        if round > 0 {
            times.push(time);
            pending.push(visible);
            old_times.push(old_time);
            clones.push(clone);
            old_clones.push(old_clone);
        }
    }
    let growth = median(old_times.iter().zip(&times).map(|(old, fresh)| old / fresh).collect());
    let time = median(times);
    report.add(row("push to last deploy call, 5 functions", time, &clones, 60.0));
    report.add(Row {
        budget: "≤ 1.3 × of the above".to_owned(),
        holds: growth <= 1.3,
        ratio: format!("{growth:.2} of the above"),
        ..row(&format!("the same with {HISTORY} commits"), median(old_times), &old_clones, f64::INFINITY)
    });
    let visible = median(pending);
    report.add(Row {
        what: "webhook to the pending status at the host".to_owned(),
        ours: format!("{visible:.0} ms"),
        peer: String::new(),
        ratio: String::new(),
        budget: format!("≤ {MOST_PENDING} ms"),
        holds: visible <= MOST_PENDING,
    });
    Ok(())
}

/// Measures what reporting adds to a push: with a host that takes its time for each status, beside one that does not.
pub(crate) async fn measure_reporting(report: &mut Report) -> Result<()> {
    let pipeline = Pipeline::start().await?;
    let repository = Repository::make(5, 0, &pipeline.git, "reported", Pipeline::authorization(OWNER)?)?;
    let (mut at_once, mut slow) = (Vec::new(), Vec::new());
    for round in 0..=2 * ROUNDS {
        let mut pair = [(Duration::ZERO, &mut at_once), (STATUS_TIME, &mut slow)];
        // Neither is always the second of its round.
        if round % 2 == 1 {
            pair.reverse();
        }
        for (time, times) in pair {
            pipeline.stub.take_for_statuses(time);
            let took = to_last_deployment(&pipeline, &repository, round)?;
            if round > 0 {
                times.push(took);
            }
        }
    }
    let added = median(slow) - median(at_once.clone());
    report.add(Row {
        what: format!("reporting adds, {} ms a status", STATUS_TIME.as_millis()),
        ours: format!("{added:.1} ms"),
        peer: format!("a push with a host that answers at once {:.0} ms", median(at_once)),
        ratio: String::new(),
        budget: format!("≤ {REPORTING} ms"),
        holds: added <= REPORTING,
    });
    Ok(())
}

/// Measures line 2 of the budgets: a stack of 50 functions.
pub(crate) async fn measure_stack(report: &mut Report) -> Result<()> {
    let pipeline = Pipeline::start().await?;
    let repository = Repository::make(STACK, 0, &pipeline.git, "stack", Pipeline::authorization(OWNER)?)?;
    let first = push(&pipeline, &repository)?;
    ensure!(first.builds == STACK, "the first push built {} of {STACK} functions", first.builds);
    let (mut none, mut one, mut clones) = (Vec::new(), Vec::new(), Vec::new());
    let (mut none_builds, mut one_builds) = (0, Vec::new());
    for round in 0..=ROUNDS {
        repository.change([], &format!("nothing {round}"))?;
        let seen = push(&pipeline, &repository)?;
        none_builds += seen.builds;
        let unchanged = settled(&seen)?;
        repository.change([round % STACK], &format!("one {round}"))?;
        let seen = push(&pipeline, &repository)?;
        one_builds.push(seen.builds);
        let changed = settled(&seen)?;
        let clone = timed(|| repository.clone_and_pack())?;
        if round > 0 {
            none.push(unchanged);
            one.push(changed);
            clones.push(clone);
        }
    }
    let time = row(&format!("{STACK} functions, none changed, {none_builds} builds"), median(none), &clones, 150.0);
    report.add(Row { holds: time.holds && none_builds == 0, budget: "≤ 150 ms, 0 builds".to_owned(), ..time });
    let exact = one_builds.iter().all(|builds| *builds == 1);
    let builds = if exact { "1 build".to_owned() } else { format!("builds {one_builds:?}") };
    let time = row(&format!("{STACK} functions, one changed, {builds} each time"), median(one), &clones, f64::INFINITY);
    report.add(Row { holds: exact, budget: "exactly 1 build".to_owned(), ..time });
    Ok(())
}

/// A row of milliseconds beside a whole clone with a tar for each function.
fn row(what: &str, time: f64, clones: &[f64], most: f64) -> Row {
    let clone = median(clones.to_vec());
    Row {
        what: what.to_owned(),
        ours: format!("{time:.0} ms"),
        peer: format!("git clone and tar {clone:.0} ms"),
        ratio: format!("{:.2}", time / clone),
        budget: format!("≤ {most} ms"),
        holds: time <= most,
    }
}

fn to_last_deployment(pipeline: &Pipeline, repository: &Repository, round: usize) -> Result<f64> {
    let seen = deploy_all(pipeline, repository, round)?;
    millis(seen.webhook, seen.deployed)
}

/// Pushes a change of every function.
fn deploy_all(pipeline: &Pipeline, repository: &Repository, round: usize) -> Result<Seen> {
    repository.change(0..repository.functions(), &format!("round {round}"))?;
    // Nothing is deployed, so that no round finds its work done.
    pipeline.stub.undeploy();
    let seen = push(pipeline, repository)?;
    ensure!(seen.deployments == repository.functions(), "only {} functions were deployed", seen.deployments);
    Ok(seen)
}

fn push(pipeline: &Pipeline, repository: &Repository) -> Result<Seen> {
    pipeline.stub.reset();
    block_in_place(|| repository.push())?;
    Ok(pipeline.stub.seen())
}

/// Until every function is known to be settled.
fn settled(seen: &Seen) -> Result<f64> {
    millis(seen.webhook, seen.settled)
}

fn millis(from: Option<Instant>, to: Option<Instant>) -> Result<f64> {
    let (from, to) = (from.context("no webhook came")?, to.context("the pipeline did not get to its end")?);
    Ok((to - from).as_secs_f64() * 1e3)
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    block_in_place(work)?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}
