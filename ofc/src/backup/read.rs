//! Taking an archive apart. It is the operator's own, and may have been anywhere since: nothing in it is believed.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, Utc};
use tar::{Archive, Entry, EntryType};

use super::contents::{Summary, is_transient};
use super::{END, FORMAT, MANIFEST, MAX_MANIFEST, Manifest};
use crate::data_dir::private_dir;
use crate::report::Trouble;

/// What was in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) made_at: DateTime<Utc>,
    pub(crate) version: String,
    pub(crate) whole: bool,
    pub(crate) summary: Summary,
}

/// Makes a data directory of a backup, whole or not at all. There must be none, or an empty one.
///
/// # Errors
/// When there is one, or the archive is none of ours, damaged, or has something in it that no backup has.
pub(crate) fn restore(archive: impl Read, into: &Path) -> anyhow::Result<Restored> {
    refuse_used(into)?;
    let into = std::path::absolute(into)?;
    let parent = into.parent().context("the data directory needs a folder that it is in")?;
    fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    let beside = tempfile::Builder::new().prefix(".ofc-restore-").tempdir_in(parent);
    let beside = beside.with_context(|| format!("nothing can be written beside {}", into.display()))?;
    let restored = unpack(archive, beside.path())?;
    // An empty folder gives way to the new one; one that somebody filled meanwhile does not.
    fs::rename(beside.path(), &into).with_context(|| format!("{} cannot be made", into.display()))?;
    // The folder is not where it would be removed any more.
    let _ = beside.keep();
    Ok(restored)
}

fn refuse_used(into: &Path) -> anyhow::Result<()> {
    let first = fs::read_dir(into).map(|mut entries| entries.next());
    match first {
        Ok(None) => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(Some(_)) => Err(Trouble::new(format!("{} is not empty", into.display()))
            .hint(
                "a backup is restored into a directory of its own: move this one away, or name another with --data DIR",
            )
            .into()),
        Err(cause) => {
            Err(Trouble::new(format!("{} is no directory to restore to", into.display())).because(cause).into())
        }
    }
}

fn unpack(archive: impl Read, folder: &Path) -> anyhow::Result<Restored> {
    let mut archive = Archive::new(archive);
    let mut entries = archive.entries().map_err(damaged)?;
    let manifest = manifest(entries.next())?;
    private_dir(folder)?;
    let mut summary = Summary::default();
    for entry in entries {
        let entry = entry.map_err(damaged)?;
        if entry.path().ok().as_deref() == Some(Path::new(END)) {
            let Manifest { made_at, version, whole, .. } = manifest;
            return Ok(Restored { made_at, version, whole, summary });
        }
        take(entry, folder, &mut summary)?;
    }
    Err(damaged(io::ErrorKind::UnexpectedEof.into()).into())
}

fn manifest(first: Option<io::Result<Entry<'_, impl Read>>>) -> anyhow::Result<Manifest> {
    let foreign = || Trouble::new("this is no backup of `ofc`'s").hint("`ofc backup FILE` makes one");
    let first = first.ok_or_else(foreign)?.map_err(|cause| foreign().because(cause))?;
    if first.path().ok().as_deref() != Some(Path::new(MANIFEST)) {
        return Err(foreign().into());
    }
    let mut text = Vec::new();
    first.take(MAX_MANIFEST).read_to_end(&mut text).map_err(damaged)?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|cause| foreign().because(cause))?;
    if manifest.format != FORMAT {
        let sentence = format!("the backup has the form {}, and this release knows {FORMAT}", manifest.format);
        return Err(Trouble::new(sentence)
            .hint(format!("it was made by ofc {}: restore it with that", manifest.version))
            .into());
    }
    Ok(manifest)
}

fn take(mut entry: Entry<'_, impl Read>, folder: &Path, summary: &mut Summary) -> anyhow::Result<()> {
    let path = entry.path().map_err(damaged)?.into_owned();
    let kind = entry.header().entry_type();
    if !is_plain(&path) || !matches!(kind, EntryType::Regular | EntryType::Directory) {
        let sentence = format!("the backup has something in it that no backup has: {}", shown(&path));
        return Err(Trouble::new(sentence).hint("nothing was restored").into());
    }
    let target = folder.join(&path);
    let failed = |cause: io::Error| Trouble::new(format!("{} cannot be restored", shown(&path))).because(cause);
    if kind == EntryType::Directory {
        private_dir(&target).map_err(failed)?;
        summary.count(&path, None);
        return Ok(());
    }
    if let Some(parent) = target.parent() {
        private_dir(parent).map_err(failed)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target).map_err(failed)?;
    let expected = entry.size();
    let bytes = io::copy(&mut entry, &mut file).and_then(|bytes| file.sync_all().map(|()| bytes)).map_err(failed)?;
    if bytes != expected {
        return Err(damaged(io::ErrorKind::UnexpectedEof.into()).into());
    }
    summary.count(&path, Some(bytes));
    Ok(())
}

/// A path within the data directory, and none that each start makes anew.
fn is_plain(path: &Path) -> bool {
    let normal = path.components().all(|part| matches!(part, Component::Normal(_)));
    let first: Option<PathBuf> = path.iter().next().map(PathBuf::from);
    normal && first.is_some_and(|first| !is_transient(&first) && first != Path::new(MANIFEST))
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().chars().filter(|c| !c.is_control()).take(200).collect()
}

fn damaged(cause: io::Error) -> Trouble {
    Trouble::new("the backup is damaged").hint("nothing was restored; take another one").because(cause)
}
