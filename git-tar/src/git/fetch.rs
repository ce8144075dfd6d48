//! One commit at depth 1, into an object database of its own.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use git2::{ErrorClass, Indexer};
use sdk::id::CommitSha;
use tokio::sync::mpsc;

use super::guard::PackGuard;
use super::packet::{Packet, Packets, line};
use super::refs::refused;
use super::{GitError, Limits, Remote};

/// Pieces of the pack on their way from the network to the disk.
const IN_FLIGHT: usize = 32;

impl Remote {
    /// Brings a commit's objects into `folder`, which must be empty.
    pub(crate) async fn fetch(&self, commit: &CommitSha, folder: &Path) -> Result<(), GitError> {
        if commit.as_str().len() != 40 {
            return Err(GitError::Sha256);
        }
        let deadline = self.limits.timeout;
        let whole = self.fetch_within(commit, folder);
        tokio::time::timeout(deadline, whole).await.map_err(|_| GitError::TimedOut(deadline))?
    }

    /// True if the host has the commit. Old hosts may not tell; then it is taken to be there.
    pub(crate) async fn has(&self, commit: &CommitSha) -> Result<bool, GitError> {
        if commit.as_str().len() != 40 {
            return Err(GitError::Sha256);
        }
        match self.open_v2(commit).await {
            Err(GitError::UnknownCommit) => Ok(false),
            Ok(_) | Err(GitError::Protocol(_) | GitError::Refused(_) | GitError::Status(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn fetch_within(&self, commit: &CommitSha, folder: &Path) -> Result<(), GitError> {
        let mut packets = match self.open_v2(commit).await {
            Err(GitError::Protocol(_) | GitError::Refused(_)) => self.open_v0(commit).await?,
            opened => opened?,
        };
        let (sender, receiver) = mpsc::channel(IN_FLIGHT);
        let (packs, limits) = (folder.join("pack"), self.limits);
        let store = tokio::task::spawn_blocking(move || store(packs, limits, receiver));
        let pumped = pump(&mut packets, sender).await;
        let stored = store.await.map_err(|_| GitError::Broken("the indexer stopped".to_owned()))?;
        // A pump whose pack is refused ends well; where it fails, the pack is only incomplete.
        pumped.and(stored)
    }

    /// Asks in version 2 and reads up to where the pack begins.
    async fn open_v2(&self, commit: &CommitSha) -> Result<Packets, GitError> {
        let wants: String =
            ["ofs-delta", "no-progress", "deepen 1", &format!("want {commit}"), "done"].map(line).concat();
        let body = format!("{}0001{wants}0000", line("command=fetch"));
        let mut packets = self.upload_pack(body, true, self.limits.max_pack_bytes).await?;
        while let Some(packet) = packets.next().await? {
            let Some(text) = packet.line() else { continue };
            refused(text)?;
            if text == "packfile" {
                return Ok(packets);
            }
        }
        Err(GitError::Protocol("there is no pack in the answer"))
    }

    /// Asks in version 0, where the commit must be a branch's head, and reads up to where the pack begins.
    async fn open_v0(&self, commit: &CommitSha) -> Result<Packets, GitError> {
        let want = line(&format!("want {commit} side-band-64k ofs-delta no-progress shallow"));
        let body = format!("{want}{}0000{}", line("deepen 1"), line("done"));
        let mut packets = self.upload_pack(body, false, self.limits.max_pack_bytes).await?;
        while let Some(packet) = packets.next().await? {
            let Some(text) = packet.line() else { continue };
            refused(text)?;
            if text == "NAK" {
                return Ok(packets);
            }
        }
        Err(GitError::UnknownCommit)
    }
}

/// Passes the pack's bytes on until the host says that it is whole.
async fn pump(packets: &mut Packets, sender: mpsc::Sender<Bytes>) -> Result<(), GitError> {
    while let Some(packet) = packets.next().await? {
        let Packet::Data(mut data) = packet else { return Ok(()) };
        if data.is_empty() {
            return Err(GitError::Protocol("a packet belongs to no band"));
        }
        match data.split_to(1)[0] {
            1 => {
                if sender.send(data).await.is_err() {
                    return Ok(());
                }
            }
            2 => {}
            3 => return Err(GitError::Refused(String::from_utf8_lossy(&data).trim().chars().take(200).collect())),
            _ => return Err(GitError::Protocol("a packet belongs to no band")),
        }
    }
    Err(GitError::Protocol("the pack has no end"))
}

/// Writes the pack and its index. Ends early, and so stops the pump, when a bound is reached.
fn store(packs: PathBuf, limits: Limits, mut receiver: mpsc::Receiver<Bytes>) -> Result<(), GitError> {
    fs::create_dir_all(&packs).map_err(GitError::Store)?;
    // `verify` would demand that every object named by another is there; at depth 1 the parents are not.
    let mut indexer = Indexer::new(None, &packs, 0o600, false).map_err(indexer_error)?;
    let mut guard = PackGuard::new(limits);
    while let Some(piece) = receiver.blocking_recv() {
        guard.check(&piece)?;
        indexer.write_all(&piece).map_err(write_error)?;
    }
    guard.finish()?;
    indexer.commit().map_err(indexer_error)?;
    Ok(())
}

/// An error of libgit2 is about our disk or about what the host sent.
fn indexer_error(error: git2::Error) -> GitError {
    match error.class() {
        ErrorClass::Os | ErrorClass::Filesystem | ErrorClass::NoMemory => GitError::Store(std::io::Error::other(error)),
        _ => GitError::Broken(error.message().to_owned()),
    }
}

fn write_error(error: std::io::Error) -> GitError {
    match error.downcast::<git2::Error>() {
        Ok(error) => indexer_error(error),
        Err(error) => GitError::Store(error),
    }
}
