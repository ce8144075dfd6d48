//! The thread that writes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Duration;

use super::Shared;

/// Lines are collected for so long before they are written together.
const BATCH: Duration = Duration::from_millis(50);

/// A file or the standard output.
pub(super) struct Writer {
    path: Option<PathBuf>,
    file: Option<File>,
}

impl Writer {
    pub(super) fn open(path: Option<PathBuf>) -> io::Result<Self> {
        let file = path.as_ref().map(open).transpose()?;
        Ok(Self { path, file })
    }

    pub(super) fn run(mut self, shared: &Shared) {
        let mut batch = Vec::new();
        loop {
            let mut waiting = shared.waiting();
            while waiting.bytes.is_empty() && !waiting.reopen && !waiting.ended {
                waiting = shared.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            if !waiting.ended && !waiting.reopen {
                drop(waiting);
                std::thread::sleep(BATCH);
                waiting = shared.waiting();
            }
            let (reopen, ended) = (std::mem::take(&mut waiting.reopen), waiting.ended);
            std::mem::swap(&mut waiting.bytes, &mut batch);
            drop(waiting);
            self.write(&batch);
            batch.clear();
            if reopen {
                self.reopen();
            }
            if ended {
                return;
            }
        }
    }

    fn write(&mut self, lines: &[u8]) {
        let written = match &mut self.file {
            Some(file) => file.write_all(lines),
            None => io::stdout().lock().write_all(lines).and_then(|()| io::stdout().flush()),
        };
        if let Err(error) = written {
            tracing::error!(%error, "the access log cannot be written");
        }
    }

    fn reopen(&mut self) {
        match self.path.as_ref().map(open).transpose() {
            Ok(file) => self.file = file,
            Err(error) => tracing::error!(%error, "the access log cannot be opened anew"),
        }
    }
}

fn open(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}
