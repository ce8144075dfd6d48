//! Making the archive.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Context;
use chrono::Utc;
use tar::{Builder, EntryType, Header};

use super::contents::{self, Scope, Summary};
use super::{END, FORMAT, MANIFEST, Manifest};
use crate::data_dir::DataDir;

/// Writes a backup.
///
/// # Errors
/// When something cannot be read or written.
pub(crate) fn write(data: &DataDir, scope: Scope, out: impl Write) -> anyhow::Result<Summary> {
    let mut archive = Builder::new(out);
    let manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: Utc::now(),
        whole: scope == Scope::Whole,
    };
    let text = serde_json::to_vec_pretty(&manifest)?;
    append(&mut archive, Path::new(MANIFEST), EntryType::Regular, text.len() as u64, &*text)?;
    let mut summary = Summary::default();
    for item in contents::list(data, scope)? {
        if item.is_folder {
            append(&mut archive, &item.path, EntryType::Directory, 0, io::empty())?;
            summary.count(&item.path, None);
            continue;
        }
        let whole = data.root().join(&item.path);
        let file = match File::open(&whole) {
            Ok(file) => file,
            // It was removed after it was listed.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && scope == Scope::Essential => continue,
            Err(cause) => return Err(contents::unreadable(&whole, cause).into()),
        };
        let bytes = file.metadata().map_err(|cause| contents::unreadable(&whole, cause))?.len();
        append(&mut archive, &item.path, EntryType::Regular, bytes, Exactly { file, left: bytes })?;
        summary.count(&item.path, Some(bytes));
    }
    append(&mut archive, Path::new(END), EntryType::Regular, 0, io::empty())?;
    archive.into_inner().and_then(|mut out| out.flush()).context("the backup cannot be written")?;
    Ok(summary)
}

fn append(
    archive: &mut Builder<impl Write>,
    path: &Path,
    kind: EntryType,
    bytes: u64,
    content: impl Read,
) -> anyhow::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory { 0o700 } else { 0o600 });
    header.set_size(bytes);
    let added = archive.append_data(&mut header, path, content);
    added.with_context(|| format!("{} cannot be put into the backup", path.display()))
}

/// So many bytes of a file: what is added to it meanwhile is not in the header's size, and one that became shorter is an error.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&mut self.file).take(self.left).read(buffer)?;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::other("the file became shorter while it was read"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}
