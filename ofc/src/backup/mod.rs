//! A platform's state in one file, and back.
//!
//! The file is a tar archive: first `ofc-backup.json`, which says what it is, then files by their paths in the data
//! directory, then a mark that it is whole.
//! It has every key of the platform and is not encrypted by itself: a passphrase would have to lie beside it wherever backups are
//! made unattended, and programs that encrypt to a public key take it from standard output.
//!
//! While a platform runs, it alone can read its databases, and its repositories change. So of one that runs only what is
//! small and cannot be made again is taken ([`contents::ESSENTIAL`]), which are files that are each replaced as a whole; of
//! one that is stopped, everything.

mod contents;
mod read;
mod write;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub(crate) use contents::{Scope, Summary};
pub(crate) use read::{Restored, restore};
pub(crate) use write::write;

/// The first entry.
const MANIFEST: &str = "ofc-backup.json";
/// The last one, which is empty: an archive that ends without it was cut off.
const END: &str = "ofc-backup.end";
/// Which form the archive has.
const FORMAT: u32 = 1;
/// The longest manifest, in bytes.
const MAX_MANIFEST: u64 = 4096;

/// What an archive says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// The release that made it.
    version: String,
    made_at: DateTime<Utc>,
    /// Whether everything is in it.
    whole: bool,
}

#[cfg(test)]
mod tests;
