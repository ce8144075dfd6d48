//! A burst of pushes through the real functions and the real queue, as far as their deployment: whether any is lost,
//! whether two of one repository are built at once, and what is deployed of each in the end.

mod gateway;
mod git;
mod platform;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;

use crate::report::{Report, Row};
use git::Git;
use platform::Platform;

/// How large the burst is.
#[derive(Debug, Clone, Copy)]
struct Size {
    repositories: usize,
    /// Pushes of each repository, each of a commit of its own.
    pushes: usize,
}

/// Deliveries of each repository's newest commit beyond the first: somebody presses "Re-run" while it is built.
const AGAIN: usize = 3;
const BURST: Size = Size { repositories: 100, pushes: 100 };
/// How long all may take to be deployed or superseded after the last was sent.
const DRAIN_LIMIT: Duration = Duration::from_secs(300);

/// What came of a burst.
#[derive(Debug)]
struct Outcome {
    /// Pushes whose commit never got a final status.
    lost: usize,
    /// Builds that were going on for one repository at the same time, at most.
    most_at_once: usize,
    /// Repositories of which something else than the newest commit is deployed.
    stale: usize,
    builds: usize,
    taken: Duration,
    done: Duration,
}

/// Measures the burst.
pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    let outcome = run(BURST).await?;
    let Size { repositories, pushes } = BURST;
    report.add(Row {
        what: format!("{} pushes to {repositories} repositories, deployed", repositories * pushes),
        ours: format!(
            "{} lost, at most {} build of a repository at once, {} not at their newest; {} builds, taken in {:.1} s, done in {:.1} s",
            outcome.lost,
            outcome.most_at_once,
            outcome.stale,
            outcome.builds,
            outcome.taken.as_secs_f64(),
            outcome.done.as_secs_f64()
        ),
        peer: String::new(),
        ratio: String::new(),
        budget: "0 lost, 1, 0".to_owned(),
        holds: outcome.holds(),
    });
    Ok(())
}

impl Outcome {
    fn holds(&self) -> bool {
        self.lost == 0 && self.most_at_once == 1 && self.stale == 0
    }
}

async fn run(size: Size) -> Result<Outcome> {
    let git = Git::start(size).await?;
    let platform = Platform::start(&git, size.repositories).await?;
    let began = Instant::now();
    let lanes = (0..size.repositories).map(|repository| push_all(&platform, &git, repository));
    let mut lanes = futures_util::stream::iter(lanes).buffer_unordered(size.repositories);
    while let Some(pushed) = lanes.next().await {
        pushed?;
    }
    let taken = began.elapsed();
    let all = size.repositories * size.pushes;
    while platform.gateway.ended() < all && began.elapsed() < taken + DRAIN_LIMIT {
        platform.gateway.next_end(Duration::from_secs(1)).await;
    }
    let (done, seen) = (began.elapsed(), platform.gateway.seen());
    let newest = git.newest();
    let stale = (0..size.repositories).filter(|repository| seen.deployed.get(repository) != Some(&newest)).count();
    Ok(Outcome {
        lost: all - seen.ended.len(),
        most_at_once: seen.most_at_once,
        stale,
        builds: seen.builds,
        taken,
        done,
    })
}

/// One repository's pushes, one after the other, as fast as they are taken: the branch moves, then the webhook comes.
async fn push_all(platform: &Platform, git: &Git, repository: usize) -> Result<()> {
    for (number, commit) in git.commits().iter().enumerate() {
        git.move_to(repository, number);
        post(platform, repository, number, commit).await?;
    }
    for number in 0..AGAIN {
        post(platform, repository, git.commits().len() + number, &git.newest()).await?;
    }
    Ok(())
}

async fn post(platform: &Platform, repository: usize, number: usize, commit: &str) -> Result<()> {
    let answer = platform.webhook(repository, number, commit).await.context("a webhook got no answer")?;
    ensure!(answer.status() == 202, "a webhook was answered with {}", answer.status());
    Ok(())
}

/// Whose a repository is. Each has another owner, so that functions of one name do not get in each other's way.
fn owner(repository: usize) -> String {
    format!("owner-{repository}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_burst_of_pushes_ends_at_each_repositorys_newest_commit() {
        let outcome = run(Size { repositories: 12, pushes: 20 }).await.unwrap();
        assert!(outcome.holds(), "{outcome:?}");
        assert!(outcome.builds >= 12, "each was built at least once: {outcome:?}");
    }
}
