//! The platform's own log, which is one JSON object a line.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// One line.
#[derive(Debug, Clone)]
pub struct Line(pub Value);

impl Line {
    /// Its sentence.
    pub fn message(&self) -> &str {
        self.0["message"].as_str().unwrap_or_default()
    }

    /// A field of its own or of a span around it.
    pub fn field(&self, name: &str) -> Option<&str> {
        let spans = self.0["spans"].as_array().into_iter().flatten();
        self.0.get(name).and_then(Value::as_str).or_else(|| spans.filter_map(|span| span[name].as_str()).next_back())
    }
}

/// Reads on where it stopped.
#[derive(Debug)]
pub(crate) struct Reader {
    path: PathBuf,
    offset: u64,
    rest: Vec<u8>,
}

impl Reader {
    /// Everything from the beginning.
    pub(crate) fn whole(path: &Path) -> Self {
        Self { path: path.to_owned(), offset: 0, rest: Vec::new() }
    }

    /// Only what is written from now on.
    pub(crate) fn from_now(path: &Path) -> Self {
        let offset = std::fs::metadata(path).map_or(0, |about| about.len());
        Self { offset, ..Self::whole(path) }
    }

    /// The whole lines that are new.
    pub(crate) fn lines(&mut self) -> Vec<Line> {
        let mut new = Vec::new();
        if let Ok(mut file) = File::open(&self.path) {
            file.seek(SeekFrom::Start(self.offset)).unwrap();
            self.offset += file.read_to_end(&mut new).unwrap() as u64;
        }
        self.rest.extend_from_slice(&new);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        whole.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).map(Line).collect()
    }
}
