//! One push, from its first byte to the end of the deployment it starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use sdk::failure::chain;
use sdk::id::RepoPath;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::announce::{self, AnnounceError, Announced};
use crate::app::App;
use crate::body::PushBody;
use crate::commands::Commands;
use crate::follow;
use crate::git::{GitError, Service, error_text};
use crate::pktline::{self, Packet};
use crate::pushing::Note;
use crate::refs::{self, Refs};
use crate::reply::Reply;

/// What is read of an oversized push after the limit, so that the client comes to read the refusal.
const DRAIN_FACTOR: u64 = 4;

/// A push that was authorised and whose commands are read.
pub(crate) struct Push {
    pub(crate) path: RepoPath,
    pub(crate) commands: Commands,
    pub(crate) body: PushBody,
    pub(crate) protocol: Option<String>,
}

/// Why a push could not be carried out.
#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error("another push to this repository is still going on")]
    Locked,
    #[error("receiving the push took longer than allowed")]
    Slow,
    #[error("the push is larger than {0} bytes")]
    TooLarge(u64),
    #[error("git could not take the push")]
    Git(#[from] GitError),
    #[error("the push could not be written down")]
    Note(#[source] std::io::Error),
    #[error(transparent)]
    Announce(#[from] AnnounceError),
}

impl PushError {
    /// What the pusher is told.
    fn public(&self) -> String {
        match self {
            Self::Locked => "Another push to this repository is still going on. Try again in a minute.".into(),
            Self::Slow => {
                "Receiving this push took too long and was stopped. Try again, in smaller parts if it is large.".into()
            }
            Self::TooLarge(limit) => too_large(*limit),
            Self::Note(cause) if cause.kind() == std::io::ErrorKind::StorageFull => {
                "The git host's disk is full. Nothing was changed. Its operator must free some space; then push again."
                    .into()
            }
            Self::Git(GitError::Busy) => "The git host is busy. Try again in a minute.".into(),
            Self::Git(_) | Self::Note(_) => {
                "The git host could not take this push. Its operator finds the reason in the log; try again later."
                    .into()
            }
            Self::Announce(_) => {
                "The push is stored, but could not be handed to the platform yet. It will be when the \
                                  git host starts again, or with your next push."
                    .into()
            }
        }
    }
}

/// Carries out a push and answers the client. It goes on when the client goes away.
pub(crate) async fn run(app: Arc<App>, push: Push, mut reply: Reply) {
    let (path, commands) = (push.path.clone(), push.commands.clone());
    let revision = app.checks.revision();
    let outcome = tokio::time::timeout(app.config.push_timeout, take(&app, push, &mut reply)).await;
    match outcome.unwrap_or(Err(PushError::Slow)) {
        Ok(announced) => follow::run(&app, &path, announced, revision, &mut reply).await,
        Err(error) => {
            tracing::error!(repo = %path, cause = chain(&error), "a push failed");
            if !reply.has_begun() {
                reply.refuse(&commands, &error.public()).await;
                return;
            }
            reply.say(&error.public()).await;
        }
    }
    reply.end().await;
}

/// Lets git receive the push, then writes the webhooks down.
async fn take(app: &App, push: Push, reply: &mut Reply) -> Result<Vec<Announced>, PushError> {
    let path = push.path.clone();
    let _lock = app.repositories.lock(&path).await.ok_or(PushError::Locked)?;
    let turn = app.git.turn(Some(&path.owner)).await?;
    let (folder, before, is_new) = open(app, &path).await?;
    let received = receive(app, push, &folder, &before, reply).await;
    drop(turn);
    // Whatever git said, what it changed counts.
    let announced = announce::changes(app, &path, &before).await?;
    if is_new && announced.is_empty() && refs::snapshot(&app.git, &folder).await?.is_empty() {
        app.repositories.remove(&path).await.map_err(PushError::Note)?;
    }
    received.map(|()| announced)
}

/// The repository's folder and its references as the platform knows them, and whether it was made just now.
async fn open(app: &App, path: &RepoPath) -> Result<(PathBuf, Refs, bool), PushError> {
    let Some(folder) = app.repositories.find(path).await else {
        return Ok((app.repositories.create(&app.git, path).await?, Refs::new(), true));
    };
    // A note that is still there tells of changes that nobody was told of; they go out with this push.
    let before = match app.notes.find(path).await.map_err(PushError::Note)? {
        Some(note) => note.before,
        None => refs::snapshot(&app.git, &folder).await?,
    };
    Ok((folder, before, false))
}

async fn receive(app: &App, push: Push, folder: &Path, before: &Refs, reply: &mut Reply) -> Result<(), PushError> {
    let mut command = app.git.service(Service::ReceivePack, folder, push.protocol.as_deref());
    let mut child = app.git.start(command.arg("."))?;
    // Git waits for its first byte until the note is on disk.
    let note = Note { path: push.path.clone(), before: before.clone(), process: child.id() };
    app.notes.write(&note).await.map_err(PushError::Note)?;
    let pipe = |source| GitError::Pipe { what: "receive-pack".into(), source };
    let (stdin, stdout, stderr) = streams(&mut child).ok_or_else(|| pipe(std::io::ErrorKind::BrokenPipe.into()))?;
    let (too_large, pumped, errors) = tokio::join!(
        feed(stdin, push.commands.raw, push.body, app.config.max_push_bytes),
        pump(stdout, push.commands.side_band, reply),
        error_text(Some(stderr)),
    );
    pumped.map_err(pipe)?;
    let status = child.wait().await.map_err(pipe)?;
    if too_large {
        return Err(PushError::TooLarge(app.config.max_push_bytes));
    }
    if !status.success() && !reply.has_begun() {
        return Err(GitError::Failed { what: "receive-pack".into(), status, stderr: errors }.into());
    }
    if !status.success() {
        tracing::warn!(repo = %push.path, %status, errors, "git refused a push");
    }
    Ok(())
}

fn streams(child: &mut Child) -> Option<(ChildStdin, ChildStdout, tokio::process::ChildStderr)> {
    Some((child.stdin.take()?, child.stdout.take()?, child.stderr.take()?))
}

/// Hands the push to git. Past the limit the rest is read and dropped, because a client reads no answer
/// before it has sent everything. True if the push was too large.
async fn feed(mut stdin: ChildStdin, first: Bytes, mut body: PushBody, limit: u64) -> bool {
    let mut open = stdin.write_all(&first).await.is_ok();
    let mut stdin = Some(stdin);
    loop {
        if body.taken > limit.saturating_mul(DRAIN_FACTOR) {
            return true;
        }
        let chunk = match body.next().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => {
                tracing::warn!(cause = chain(&error), "a push broke off");
                break;
            }
        };
        if body.taken > limit {
            stdin = None;
        } else if open && let Some(stdin) = &mut stdin {
            // Git closes its input when it has refused the push; what it says about it comes by the other pipe.
            open = stdin.write_all(&chunk).await.is_ok();
        }
    }
    body.taken > limit
}

/// Passes git's answer on, all but its very end, so that ours can follow.
async fn pump(mut stdout: ChildStdout, side_band: bool, reply: &mut Reply) -> std::io::Result<()> {
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    let mut ended = false;
    while stdout.read_buf(&mut buffer).await? > 0 {
        if !side_band {
            reply.raw(buffer.split().freeze()).await;
            continue;
        }
        let mut out = BytesMut::new();
        while let Some(packet) = pktline::take(&mut buffer).map_err(std::io::Error::other)? {
            if std::mem::take(&mut ended) {
                out.extend_from_slice(pktline::FLUSH);
            }
            match packet {
                Packet::Flush => ended = true,
                Packet::Data(raw) => out.extend_from_slice(&raw),
            }
        }
        reply.raw(out.freeze()).await;
    }
    Ok(())
}

fn too_large(limit: u64) -> String {
    let limit = if limit >= 1 << 20 { format!("{} MiB", limit >> 20) } else { format!("{limit} bytes") };
    format!(
        "This push is larger than {limit}, the most that is taken. Nothing was changed. Take large files out of the history and push again."
    )
}
