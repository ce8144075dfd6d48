//! Shows the pusher what becomes of the push.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::SelectAll;
use sdk::id::{CommitSha, RepoPath};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_stream::wrappers::WatchStream;

use crate::announce::Announced;
use crate::app::App;
use crate::checks::{CheckRun, Conclusion, Progress};
use crate::lines::{self, Lines, STACK};
use crate::outbox::Fate;
use crate::reply::Reply;

/// How long nothing may be heard before the pusher is told so.
const FIRST_WORD: Duration = Duration::from_secs(60);
/// When branches share a commit and one is of no matter, the others have this long to speak up.
const SIBLING: Duration = Duration::from_secs(5);

/// What of a commit is known already may need no second word: it has this long to come once the platform has the push.
const REPEATED: Duration = Duration::from_secs(10);

/// One commit that is being deployed.
struct Followed {
    sha: CommitSha,
    /// How many pushed branches name it.
    branches: usize,
    /// The latest change that was looked at.
    revision: u64,
    lines: Lines,
    /// Its deployment ended before this push, and nothing was heard of it since.
    known: bool,
    /// It ends at this moment unless something else is heard of it.
    until: Option<Instant>,
    done: bool,
}

/// Shows the pipeline until it is through with every pushed branch, or the client is gone.
pub(crate) async fn run(app: &App, path: &RepoPath, announced: Vec<Announced>, revision: u64, reply: &mut Reply) {
    let mut followed = commits(&announced, revision);
    if followed.is_empty() || !reply.listens() {
        return;
    }
    for commit in &mut followed {
        commit.known = is_known(app, path, commit).await;
    }
    let mut fates: SelectAll<_> = announced
        .into_iter()
        .filter(|a| a.branch.is_some() && a.sha.is_some())
        .map(|a| WatchStream::new(a.fate).map(move |fate| (a.sha.clone(), fate)))
        .collect();
    let mut changes = app.checks.changes();
    changes.mark_changed();
    let mut beat = tokio::time::interval(app.config.keep_alive);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let limit = tokio::time::sleep(app.config.follow_timeout);
    let silence = tokio::time::sleep(FIRST_WORD);
    tokio::pin!(limit, silence);
    let mut silent = true;
    let mut unreachable = false;
    while followed.iter().any(|f| !f.done) && reply.listens() {
        let pause = followed.iter().filter(|f| !f.done).filter_map(|f| f.until).min();
        tokio::select! {
            () = reply.closed() => return,
            () = app.shutdown.cancelled() => {
                reply.say("The platform is stopping. The deployment goes on when it is started again.").await;
                return;
            }
            () = &mut limit => {
                reply.say(&still_running(path, &followed)).await;
                return;
            }
            () = &mut silence, if silent => {
                silent = false;
                reply.say("The platform has the push and has not said anything yet. Still waiting; Ctrl-C does not stop the deployment.").await;
            }
            () = until(pause) => end_quiet(&mut followed, reply).await,
            Some((sha, fate)) = fates.next() => tell_fate(fate, sha, &mut followed, &mut unreachable, reply).await,
            Ok(()) = changes.changed() => {
                changes.mark_unchanged();
                for commit in followed.iter_mut().filter(|f| !f.done) {
                    silent &= !look(app, path, commit, reply).await;
                }
            }
            _ = beat.tick() => reply.keep_alive().await,
        }
    }
}

/// The commits to follow: of branches that still exist, each once.
fn commits(announced: &[Announced], revision: u64) -> Vec<Followed> {
    let mut followed: Vec<Followed> = Vec::new();
    for sha in announced.iter().filter(|a| a.branch.is_some()).filter_map(|a| a.sha.as_ref()) {
        match followed.iter_mut().find(|f| f.sha == *sha) {
            Some(known) => known.branches += 1,
            None => followed.push(Followed {
                sha: sha.clone(),
                branches: 1,
                revision,
                lines: Lines::default(),
                known: false,
                until: None,
                done: false,
            }),
        }
    }
    followed
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// True if the commit's deployment has ended before. A push of it to another branch that is of no matter is not reported:
/// it would hide how that one ended.
async fn is_known(app: &App, path: &RepoPath, commit: &Followed) -> bool {
    let ended =
        |run: &CheckRun| run.name == STACK && run.status == Progress::Completed && run.revision <= commit.revision;
    app.checks.list(path, &commit.sha).await.is_ok_and(|runs| runs.iter().any(ended))
}

async fn end_quiet(followed: &mut [Followed], reply: &mut Reply) {
    let now = Instant::now();
    for commit in followed.iter_mut().filter(|f| !f.done && f.until.is_some_and(|until| until <= now)) {
        commit.done = true;
        if commit.known {
            let sha = commit.sha.short();
            reply.say(&format!("{sha} was deployed before, and nothing new is to be done for it.")).await;
        }
    }
}

async fn tell_fate(
    fate: Fate,
    sha: Option<CommitSha>,
    followed: &mut [Followed],
    unreachable: &mut bool,
    reply: &mut Reply,
) {
    match fate {
        Fate::Waiting(None) => {}
        Fate::Delivered => {
            let until = Instant::now() + REPEATED;
            followed.iter_mut().filter(|f| f.known && Some(&f.sha) == sha.as_ref()).for_each(|f| f.until = Some(until));
        }
        Fate::Waiting(Some(reason)) => {
            if !std::mem::replace(unreachable, true) {
                reply.say(&format!("Your push is stored, but {reason}. It is tried again until it is taken.")).await;
            }
        }
        Fate::Refused(reason) => {
            let reason = reason.trim_end_matches('.');
            reply.say(&format!("Your push is stored, but the platform refused to deploy it: {reason}.")).await;
            followed.iter_mut().filter(|f| Some(&f.sha) == sha.as_ref()).for_each(|f| f.done = true);
        }
    }
}

/// Shows what is new about a commit. True if there was anything.
async fn look(app: &App, path: &RepoPath, commit: &mut Followed, reply: &mut Reply) -> bool {
    let runs = match app.checks.list(path, &commit.sha).await {
        Ok(runs) => runs,
        Err(error) => {
            tracing::error!(repo = %path, sha = %commit.sha, cause = %error, "the check runs of a commit could not be read");
            return false;
        }
    };
    let mut new: Vec<&CheckRun> = runs.iter().filter(|run| run.revision > commit.revision).collect();
    // The word about the whole comes last, whatever order the reports came in.
    new.sort_by_key(|run| (run.name == STACK && run.status == Progress::Completed, run.revision));
    for run in &new {
        commit.revision = commit.revision.max(run.revision);
        commit.until = None;
        commit.known = false;
        for line in commit.lines.of(run) {
            reply.say(&line).await;
        }
        if run.name == STACK && run.status == Progress::Completed {
            commit.end(run);
        }
    }
    !new.is_empty()
}

impl Followed {
    fn end(&mut self, stack: &CheckRun) {
        let of_no_matter = matches!(stack.conclusion, Some(Conclusion::Neutral | Conclusion::Skipped));
        if of_no_matter && self.branches > 1 && !lines::failed(stack) {
            self.until = Some(Instant::now() + SIBLING);
        } else {
            self.done = true;
        }
    }
}

/// Only what the platform's operator can look at is named: the reports themselves are not open to pushers.
fn still_running(path: &RepoPath, followed: &[Followed]) -> String {
    let sha = followed.iter().find(|f| !f.done).map(|f| f.sha.short()).unwrap_or_default();
    format!(
        "The deployment takes longer than you are kept waiting for. It goes on. On the platform's machine `ofc ls` shows what is live of commit {sha}, and the log (ofc.log in its data directory) how the deployment of {path} ends."
    )
}
