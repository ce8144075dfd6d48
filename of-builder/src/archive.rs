//! The uploaded tar: what it may hold, checked as a whole before any of it reaches the engine.
//!
//! Nothing is ever unpacked here. The archive stays one anonymous file; [`inspect`] walks it, and
//! [`repack::context`] walks it again, writing the checked entries as a new tar for the engine. So no name of
//! a stranger becomes a path of this machine.

mod extensions;
mod fingerprint;
mod kind;
mod links;
mod path;
pub(crate) mod repack;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use tar::{Archive, Entry};

use kind::Kind;
use path::Place;

use crate::secrets::MAX_FILE_BYTES as MAX_SECRETS_BYTES;

pub(crate) use fingerprint::fingerprint;

/// The entry that says what to build.
pub(crate) const CONFIG: &str = "com.openfaas.docker.config";
/// The entry with sealed build secrets; it may be anywhere in the archive.
pub(crate) const SECRETS: &str = "com.openfaas.secrets";
const DOCKERFILE: &str = "Dockerfile";
const MAX_CONFIG_BYTES: u64 = 256 * 1024;
/// A tar is made of blocks of so many bytes.
const BLOCK: u64 = 512;
/// In a longer one no line is looked for.
const MAX_DOCKERFILE_BYTES: u64 = 256 * 1024;

/// How much an upload may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The body of a request.
    pub body_bytes: u64,
    /// All files together.
    pub unpacked_bytes: u64,
    /// Files, folders and links.
    pub entries: usize,
    /// One path.
    pub path_bytes: usize,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("the body is {0}-compressed: send a plain tar")]
    Compressed(&'static str),
    #[error("the body is not a readable tar: {0}")]
    Unreadable(io::Error),
    #[error("the archive ends in the middle of {0}")]
    Truncated(String),
    #[error("the archive holds more than {0} entries")]
    TooManyEntries(usize),
    #[error("the files in the archive add up to more than {0} bytes")]
    TooLarge(u64),
    #[error("the archive holds the path {0}, {1}")]
    Path(String, &'static str),
    #[error("the archive holds {0} twice")]
    Duplicate(String),
    #[error("the archive holds {0}, which is {1}; only files, folders and symbolic links are accepted")]
    Kind(String, &'static str),
    #[error("the archive uses {0}, which is not accepted")]
    Extension(&'static str),
    #[error("the symbolic link {0} leads out of the build context")]
    Escape(String),
    #[error("the archive holds something below {0}, which is not a folder")]
    NotAFolder(String),
    #[error("the archive has no {0}")]
    Missing(&'static str),
    #[error("com.openfaas.docker.config is larger than {MAX_CONFIG_BYTES} bytes")]
    ConfigTooLarge,
    #[error("com.openfaas.secrets is larger than {MAX_SECRETS_BYTES} bytes")]
    SecretsTooLarge,
    #[error(
        "the archive holds {0}; only com.openfaas.docker.config, com.openfaas.secrets and context/ are expected at the top"
    )]
    Unexpected(String),
}

/// What lies below `context/`, by path.
type Tree = BTreeMap<String, Kind>;

/// What of an archive is looked at here.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The text of its `com.openfaas.docker.config`.
    pub(crate) config: Vec<u8>,
    /// The text of its Dockerfile; empty where that is unusually long.
    pub(crate) dockerfile: Vec<u8>,
    /// Its `com.openfaas.secrets`, where it has one.
    pub(crate) sealed: Option<Sealed>,
}

/// Sealed build secrets, and where they lie in the archive.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) text: Vec<u8>,
    /// From the entry's header to the next entry's.
    pub(crate) place: Range<u64>,
}

/// Checks the whole archive.
pub(crate) fn inspect(file: &File, limits: &Limits) -> Result<Contents, ArchiveError> {
    refuse_compressed(file)?;
    extensions::check(file)?;
    let length = file.metadata().map_err(ArchiveError::Unreadable)?.len();
    let mut survey = Survey {
        limits,
        length,
        entries: 0,
        bytes: 0,
        config: None,
        dockerfile: Vec::new(),
        sealed: None,
        tree: Tree::new(),
    };
    let mut archive = open(file)?;
    for entry in archive.entries_with_seek().map_err(ArchiveError::Unreadable)? {
        survey.add(&mut entry.map_err(ArchiveError::Unreadable)?)?;
    }
    survey.finish()
}

fn open(file: &File) -> Result<Archive<BufReader<&File>>, ArchiveError> {
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(0)).map_err(ArchiveError::Unreadable)?;
    Ok(Archive::new(reader))
}

fn refuse_compressed(mut file: &File) -> Result<(), ArchiveError> {
    let mut head = Vec::new();
    file.seek(SeekFrom::Start(0)).map_err(ArchiveError::Unreadable)?;
    file.take(6).read_to_end(&mut head).map_err(ArchiveError::Unreadable)?;
    let formats: [(&[u8], &str); 4] =
        [(b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd")];
    match formats.iter().find(|(magic, _)| head.starts_with(magic)) {
        Some((_, name)) => Err(ArchiveError::Compressed(name)),
        None => Ok(()),
    }
}

/// What has been seen so far.
struct Survey<'a> {
    limits: &'a Limits,
    length: u64,
    entries: usize,
    bytes: u64,
    config: Option<Vec<u8>>,
    dockerfile: Vec<u8>,
    sealed: Option<Sealed>,
    tree: Tree,
}

impl Survey<'_> {
    fn add<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<(), ArchiveError> {
        let place = path::place(&entry.path_bytes(), self.limits.path_bytes)?;
        self.count(entry, &place)?;
        let kind = kind::of(entry, &place)?;
        match place {
            Place::Config => self.take_config(entry, kind),
            Place::Secrets => self.take_secrets(entry, kind),
            Place::Root if kind == Kind::Folder => Ok(()),
            Place::Root => Err(ArchiveError::NotAFolder("context".to_owned())),
            Place::Context(path) => {
                if path == DOCKERFILE && kind == Kind::File && entry.size() <= MAX_DOCKERFILE_BYTES {
                    entry.read_to_end(&mut self.dockerfile).map_err(ArchiveError::Unreadable)?;
                }
                self.remember(path, kind)
            }
        }
    }

    fn count<R: Read>(&mut self, entry: &Entry<'_, R>, place: &Place) -> Result<(), ArchiveError> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(entry.size());
        if self.entries > self.limits.entries {
            return Err(ArchiveError::TooManyEntries(self.limits.entries));
        }
        if self.bytes > self.limits.unpacked_bytes {
            return Err(ArchiveError::TooLarge(self.limits.unpacked_bytes));
        }
        // Entries are skipped by seeking, which does not notice the end of the file.
        if entry.raw_file_position().saturating_add(entry.size()) > self.length {
            return Err(ArchiveError::Truncated(place.to_string()));
        }
        Ok(())
    }

    fn take_config<R: Read>(&mut self, entry: &mut Entry<'_, R>, kind: Kind) -> Result<(), ArchiveError> {
        if kind != Kind::File {
            return Err(ArchiveError::Kind(CONFIG.to_owned(), "not a file"));
        }
        if self.config.is_some() {
            return Err(ArchiveError::Duplicate(CONFIG.to_owned()));
        }
        if entry.size() > MAX_CONFIG_BYTES {
            return Err(ArchiveError::ConfigTooLarge);
        }
        let mut text = Vec::new();
        entry.read_to_end(&mut text).map_err(ArchiveError::Unreadable)?;
        self.config = Some(text);
        Ok(())
    }

    fn take_secrets<R: Read>(&mut self, entry: &mut Entry<'_, R>, kind: Kind) -> Result<(), ArchiveError> {
        if kind != Kind::File {
            return Err(ArchiveError::Kind(SECRETS.to_owned(), "not a file"));
        }
        if self.sealed.is_some() {
            return Err(ArchiveError::Duplicate(SECRETS.to_owned()));
        }
        if entry.size() > MAX_SECRETS_BYTES {
            return Err(ArchiveError::SecretsTooLarge);
        }
        let end = entry.raw_file_position() + entry.size().next_multiple_of(BLOCK);
        let place = entry.raw_header_position()..end;
        let mut text = Vec::new();
        entry.read_to_end(&mut text).map_err(ArchiveError::Unreadable)?;
        self.sealed = Some(Sealed { text, place });
        Ok(())
    }

    fn remember(&mut self, path: String, kind: Kind) -> Result<(), ArchiveError> {
        match self.tree.get(&path) {
            // Harmless, and some writers do it for every file they add.
            Some(Kind::Folder) if kind == Kind::Folder => Ok(()),
            Some(_) => Err(ArchiveError::Duplicate(format!("context/{path}"))),
            None => {
                self.tree.insert(path, kind);
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<Contents, ArchiveError> {
        links::check(&self.tree)?;
        let config = self.config.ok_or(ArchiveError::Missing(CONFIG))?;
        match self.tree.get(DOCKERFILE) {
            Some(Kind::File) => Ok(Contents { config, dockerfile: self.dockerfile, sealed: self.sealed }),
            _ => Err(ArchiveError::Missing("context/Dockerfile")),
        }
    }
}
