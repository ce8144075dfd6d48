//! A folder on disk as a [`Source`]: the templates that come with the platform.

use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::path::RelPath;
use super::tree::{Entry, FileEntry, ReadError, Source};

/// A folder on disk. It must not change while it is used.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn real(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn describe(&self, path: &RelPath, meta: &Metadata) -> Result<Entry, ReadError> {
        let kind = meta.file_type();
        if kind.is_dir() {
            return Ok(Entry::Folder);
        }
        if kind.is_file() {
            let executable = meta.mode() & 0o111 != 0;
            return Ok(Entry::File(FileEntry { id: path.as_str().to_owned(), size: meta.len(), executable }));
        }
        if kind.is_symlink() {
            let target = fs::read_link(self.real(path.as_str())).map_err(|cause| named(path.as_str(), cause))?;
            let target =
                target.into_os_string().into_string().map_err(|_| format!("the link '{path}' is not UTF-8"))?;
            return Ok(Entry::Link(target));
        }
        Ok(Entry::Special(if kind.is_socket() {
            "a socket"
        } else if kind.is_fifo() {
            "a named pipe"
        } else {
            "a device"
        }))
    }
}

/// An I/O error with the path that it is about.
fn named(path: &str, cause: std::io::Error) -> ReadError {
    format!("{path}: {cause}").into()
}

impl Source for Folder {
    fn entry(&self, path: &RelPath) -> Result<Option<Entry>, ReadError> {
        match fs::symlink_metadata(self.real(path.as_str())) {
            Ok(meta) => self.describe(path, &meta).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(named(path.as_str(), error)),
        }
    }

    fn children(&self, folder: &RelPath) -> Result<Vec<(String, Entry)>, ReadError> {
        let mut children = Vec::new();
        for child in fs::read_dir(self.real(folder.as_str())).map_err(|cause| named(folder.as_str(), cause))? {
            let child = child.map_err(|cause| named(folder.as_str(), cause))?;
            let name = child
                .file_name()
                .into_string()
                .map_err(|name| format!("{} is not UTF-8", Path::new(&name).display()))?;
            let Ok(path) = folder.join(&name) else { continue };
            let meta = child.metadata().map_err(|cause| named(path.as_str(), cause))?;
            children.push((name, self.describe(&path, &meta)?));
        }
        Ok(children)
    }

    fn read(&self, file: &FileEntry) -> Result<Vec<u8>, ReadError> {
        let open = fs::File::open(self.real(&file.id)).map_err(|cause| named(&file.id, cause))?;
        let mut content = Vec::with_capacity(usize::try_from(file.size)?);
        // One byte more than listed, so that a file that has grown is noticed and not read to its end.
        open.take(file.size.saturating_add(1)).read_to_end(&mut content).map_err(|cause| named(&file.id, cause))?;
        Ok(content)
    }
}
