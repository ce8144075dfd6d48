//! What an entry is.

use std::io::Read;

use tar::{Entry, EntryType};

use super::ArchiveError;
use super::path::Place;

/// The kinds of entry that are let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, with its target as written.
    Link(String),
}

pub(super) fn of<R: Read>(entry: &Entry<'_, R>, place: &Place) -> Result<Kind, ArchiveError> {
    let refuse = |what| Err(ArchiveError::Kind(place.to_string(), what));
    match entry.header().entry_type() {
        EntryType::Regular => Ok(Kind::File),
        EntryType::Directory => Ok(Kind::Folder),
        EntryType::Symlink => target(entry, place).map(Kind::Link),
        EntryType::Link => refuse("a hard link"),
        EntryType::Char | EntryType::Block => refuse("a device"),
        EntryType::Fifo => refuse("a named pipe"),
        EntryType::GNUSparse => refuse("a sparse file"),
        _ => refuse("of an unknown kind"),
    }
}

fn target<R: Read>(entry: &Entry<'_, R>, place: &Place) -> Result<String, ArchiveError> {
    let Some(bytes) = entry.link_name_bytes() else {
        return Err(ArchiveError::Kind(place.to_string(), "a symbolic link to nothing"));
    };
    match String::from_utf8(bytes.into_owned()) {
        Ok(target) if !target.is_empty() && target.len() <= 1024 && !target.chars().any(char::is_control) => Ok(target),
        _ => Err(ArchiveError::Kind(place.to_string(), "a symbolic link with an unreadable target")),
    }
}
