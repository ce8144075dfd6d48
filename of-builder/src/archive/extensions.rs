//! The archive's own extension records, read before anything believes them.
//!
//! A long-name or PAX record is read whole into memory by any tar reader and can rewrite the next entry's size;
//! so the raw records are looked at first.

use std::fs::File;
use std::io::{BufReader, Read};

use tar::{Entry, EntryType, PaxExtensions};

use super::{ArchiveError, open};

const MAX_RECORD_BYTES: u64 = 64 * 1024;

pub(super) fn check(file: &File) -> Result<(), ArchiveError> {
    let mut archive = open(file)?;
    for entry in archive.entries_with_seek().map_err(ArchiveError::Unreadable)?.raw(true) {
        let mut entry = entry.map_err(ArchiveError::Unreadable)?;
        match entry.header().entry_type() {
            EntryType::GNULongName | EntryType::GNULongLink => check_size(&entry)?,
            EntryType::XHeader => check_pax(&mut entry)?,
            EntryType::XGlobalHeader => return Err(ArchiveError::Extension("a global PAX header")),
            _ => {}
        }
    }
    Ok(())
}

fn check_size(entry: &Entry<'_, BufReader<&File>>) -> Result<(), ArchiveError> {
    if entry.size() > MAX_RECORD_BYTES {
        return Err(ArchiveError::Extension("an oversized extension record"));
    }
    Ok(())
}

fn check_pax(entry: &mut Entry<'_, BufReader<&File>>) -> Result<(), ArchiveError> {
    check_size(entry)?;
    let mut records = Vec::new();
    entry.read_to_end(&mut records).map_err(ArchiveError::Unreadable)?;
    for record in PaxExtensions::new(&records) {
        let record = record.map_err(ArchiveError::Unreadable)?;
        // A size here would make this walk and the next one see different entries.
        if record.key_bytes() == b"size" || record.key_bytes().starts_with(b"GNU.sparse") {
            return Err(ArchiveError::Extension("a PAX record that changes a file's size"));
        }
    }
    Ok(())
}
