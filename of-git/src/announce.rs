//! Tells the platform what a push changed.

use std::sync::Arc;
use std::time::Duration;

use sdk::failure::chain;
use sdk::id::{CommitSha, RepoPath};
use tokio::sync::watch;

use crate::app::App;
use crate::git::GitError;
use crate::history;
use crate::outbox::{Delivery, Fate};
use crate::payload;
use crate::pushing::{self, Note};
use crate::refs::{self, Refs, Update};

/// How long a git process of an earlier life may take to end.
const LAST_BREATH: Duration = Duration::from_secs(60);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Why the platform could not be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnnounceError {
    /// The repository could not be read.
    #[error("the pushed commits could not be read")]
    Git(#[from] GitError),
    /// Something could not be written down.
    #[error("the webhooks of a push could not be written down")]
    Store(#[from] std::io::Error),
}

/// One changed reference and the way of its webhook.
#[derive(Debug, Clone)]
pub(crate) struct Announced {
    /// The branch, if it is one.
    pub(crate) branch: Option<String>,
    /// The commit it names now; `None` if it was removed.
    pub(crate) sha: Option<CommitSha>,
    pub(crate) fate: watch::Receiver<Fate>,
}

/// Writes a webhook for every reference that is not as it was before, and removes the note of the push.
/// The caller holds the repository's lock.
pub(crate) async fn changes(app: &App, path: &RepoPath, before: &Refs) -> Result<Vec<Announced>, AnnounceError> {
    let folder = app.repositories.folder(path);
    let after = refs::snapshot(&app.git, &folder).await?;
    let updates = refs::changes(before, &after);
    if updates.is_empty() {
        app.notes.remove(path).await?;
        return Ok(Vec::new());
    }
    let default_branch = refs::settle_head(&app.git, &folder, &after).await?;
    let known = app.owners.register(path).await?;
    if !known.installed {
        app.notes.remove(path).await?;
        return Ok(updates.into_iter().map(|update| announced((update, untold(path)))).collect());
    }
    let subject = app.subject_of(known, default_branch);
    let mut deliveries = Vec::with_capacity(updates.len());
    for update in &updates {
        let history = history::read(&app.git, &folder, update, before).await?;
        deliveries.push(Delivery::new("push", &payload::push(&subject, update, &history)));
        tracing::info!(repo = %subject.known.path, reference = update.reference, sha = update.after.as_ref().map(CommitSha::as_str), "a push was accepted");
    }
    let fates = app.outbox.add(deliveries).await?;
    app.notes.remove(path).await?;
    Ok(updates.into_iter().zip(fates).map(announced).collect())
}

fn announced((update, fate): (Update, watch::Receiver<Fate>)) -> Announced {
    Announced { branch: update.branch().map(str::to_owned), sha: update.after, fate }
}

/// Nobody is told of a push to a repository that the App was taken away from.
fn untold(path: &RepoPath) -> watch::Receiver<Fate> {
    let reason = format!("it is not installed for {path}; `ofc repo install {path}` on its machine brings it back");
    watch::channel(Fate::Refused(reason)).1
}

/// Finishes what an earlier process began. The locks are taken before this returns, so that no new push
/// comes in between.
pub(crate) async fn recover(app: &Arc<App>) -> std::io::Result<()> {
    for note in app.notes.left()? {
        let lock = app.repositories.lock(&note.path).await;
        let app = app.clone();
        app.clone().tasks.spawn(async move {
            let _lock = lock;
            recover_one(&app, note).await;
        });
    }
    Ok(())
}

async fn recover_one(app: &App, note: Note) {
    if let Some(process) = note.process {
        let gone = async {
            while pushing::is_running(process) {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(LAST_BREATH, gone).await.is_err() {
            tracing::error!(repo = %note.path, process, "a git process from before still runs; its push is announced with the next one");
            return;
        }
    }
    if app.repositories.find(&note.path).await.is_none() {
        return;
    }
    match changes(app, &note.path, &note.before).await {
        Ok(told) => {
            tracing::info!(repo = %note.path, webhooks = told.len(), "a push from before the restart was looked after")
        }
        Err(error) => {
            tracing::error!(repo = %note.path, cause = chain(&error), "a push from before the restart could not be announced; it will be with the next push")
        }
    }
}
