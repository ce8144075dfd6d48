//! Answers about a log: whole, from a byte on, or its end, without reading more of it than that, and of a long answer no more
//! than its beginning; [`rest`](crate::rest) has what follows.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use object_store::{Store, StoreError};
use sdk::pipeline_log::LogRequest;

use crate::log_key::{Folder, Name};
use crate::logs::{LogError, Logs, Object, blocking, has};
use crate::outline::{Outline, Piece};
use crate::packed::{MAX_TABLE, MEMBER, Table};

/// So much of an answer is read at once, in bytes.
const AT_ONCE: u64 = 1024 * 1024;
/// How far the beginning of a line is looked for, in bytes. Builds' lines are shorter.
const LONGEST_LINE: u64 = 64 * 1024;

/// Some of a log.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) bytes: Bytes,
    /// Where in the log they begin.
    pub(crate) start: u64,
    /// Where what was asked for ends, which may be behind the bytes.
    pub(crate) end: u64,
    /// The log's length so far, in bytes.
    pub(crate) length: u64,
    /// The build is under way.
    pub(crate) open: bool,
}

/// A log as it lies in the store.
pub(crate) struct Found {
    form: Form,
    /// Its length so far, in bytes.
    pub(crate) length: u64,
    /// So many bytes stay as they are whatever comes.
    pub(crate) steady: u64,
}

enum Form {
    Parts(Outline),
    Packed(Table),
    /// As earlier versions left it.
    Plain,
}

impl Found {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.form, Form::Parts(_))
    }
}

impl<S: Store> Logs<S> {
    /// What a request asks for, or a long answer's beginning.
    pub(crate) async fn read(&self, request: LogRequest) -> Result<Answer, LogError> {
        if request.from.is_some() && request.tail_bytes.is_some() {
            return Err(LogError::Contradiction("ask for a log from a byte on or for its end, not for both"));
        }
        let folder = Folder::of(&request.key);
        let _lane = self.read_lane(&folder).await;
        let log = self.find(&folder).await?;
        let (length, open) = (log.length, log.is_open());
        let start = match request.tail_bytes {
            Some(tail) if tail < length => self.line_from(&folder, &log, length - tail).await?,
            _ => request.from.unwrap_or(0).min(length),
        };
        let end = start.saturating_add(request.max_bytes.unwrap_or(u64::MAX)).min(length);
        let bytes = self.bytes(&folder, &log, start..end.min(start + AT_ONCE)).await?;
        Ok(Answer { bytes, start, end, length, open })
    }

    /// More of an answer that ends at `end`, from `position` on. The log is as it was, or was begun again.
    pub(crate) async fn more(&self, folder: &Folder, position: u64, end: u64, open: bool) -> Result<Answer, LogError> {
        let _lane = self.read_lane(folder).await;
        let log = self.find(folder).await?;
        let is_other = log.length < end || (log.is_open() && !open);
        if is_other {
            return Err(LogError::BegunAgain(folder.clone()));
        }
        // No further than where a member ends, or the next piece would unpack it again.
        let member = MEMBER as u64;
        let stop = end.min((position / member + 1) * member);
        let bytes = self.bytes(folder, &log, position..stop).await?;
        Ok(Answer { bytes, start: position, end, length: log.length, open: log.is_open() })
    }

    /// The open try if there is one, else the whole log.
    pub(crate) async fn find(&self, folder: &Folder) -> Result<Found, LogError> {
        let objects = self.list(folder).await?;
        if has(&objects, Name::Part(0)) {
            let outline = Outline::of(&objects, u32::MAX);
            return Ok(Found { length: outline.bytes, steady: outline.steady, form: Form::Parts(outline) });
        }
        let length_of = |name| objects.iter().find(|object: &&Object| object.name == name).map(|object| object.bytes);
        match (length_of(Name::Packed), length_of(Name::Whole)) {
            (Some(whole), _) => {
                let table = self.table(folder, whole).await?;
                Ok(Found { length: table.bytes, steady: table.bytes, form: Form::Packed(table) })
            }
            (None, Some(length)) => Ok(Found { length, steady: length, form: Form::Plain }),
            (None, None) => Err(LogError::Unknown(folder.clone())),
        }
    }

    async fn table(&self, folder: &Folder, whole: u64) -> Result<Table, LogError> {
        let from = whole.saturating_sub(MAX_TABLE as u64);
        let end = self.range(folder, Name::Packed, from..whole).await?;
        Table::read(&end, whole).map_err(|error| LogError::Broken(folder.clone(), error))
    }

    /// Where the first line begins at `from` or later.
    async fn line_from(&self, folder: &Folder, log: &Found, from: u64) -> Result<u64, LogError> {
        // A line feed just before means that the cut is the start of a line.
        let start = from.saturating_sub(1);
        let end = log.length.min(start + LONGEST_LINE);
        let bytes = self.bytes(folder, log, start..end).await?;
        Ok(start + line_start(&bytes, end < log.length) as u64)
    }

    /// These bytes of a log.
    pub(crate) async fn bytes(&self, folder: &Folder, log: &Found, wanted: Range<u64>) -> Result<Bytes, LogError> {
        if wanted.is_empty() {
            return Ok(Bytes::new());
        }
        match &log.form {
            Form::Plain => Ok(self.range(folder, Name::Whole, wanted).await?),
            Form::Parts(outline) => Ok(self.parts(folder, outline, &wanted).await?),
            Form::Packed(table) => {
                let broken = |error| LogError::Broken(folder.clone(), error);
                let members = table.members(&wanted).map_err(broken)?;
                let packed = self.range(folder, Name::Packed, members.place()).await?;
                blocking(move || members.unpack(&packed, &wanted)).await.map_err(broken)
            }
        }
    }

    async fn parts(&self, folder: &Folder, outline: &Outline, wanted: &Range<u64>) -> Result<Bytes, StoreError> {
        let mut log = BytesMut::new();
        for (piece, range) in outline.within(wanted) {
            match piece {
                Piece::Gap => log.extend_from_slice(&Outline::GAP[range.start as usize..range.end as usize]),
                Piece::Part { number, .. } => {
                    log.extend_from_slice(&self.range(folder, Name::Part(number), range).await?);
                }
            }
        }
        Ok(log.freeze())
    }

    async fn range(&self, folder: &Folder, name: Name, range: Range<u64>) -> Result<Bytes, StoreError> {
        let max = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let piece = self.store.get_range(&folder.object(name), range.start, max).await?;
        Ok(piece.map(|piece| piece.bytes).unwrap_or_default())
    }
}

/// Where the first line begins behind the first byte; where there is none, the first character. `goes_on` if more follows.
fn line_start(bytes: &[u8], goes_on: bool) -> usize {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(feed) if goes_on || feed + 1 < bytes.len() => feed + 1,
        _ => {
            let inside = bytes.iter().skip(1).take_while(|byte| **byte & 0b1100_0000 == 0b1000_0000).count();
            (1 + inside).min(bytes.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_begins_with_a_line_or_a_character() {
        // The first byte is the one before the tail.
        for (bytes, start) in
            [("\none\ntwo\n", 1), ("e\ntwo\n", 2), ("ree\n", 1), ("no line feed", 1), ("x", 1), ("", 0)]
        {
            assert_eq!(line_start(bytes.as_bytes(), false), start, "{bytes:?}");
        }
        assert_eq!(line_start(&"x✓✓".as_bytes()[1..], false), 3, "not inside a character");
        assert_eq!(line_start(&[0x80; 9], false), 9);
        assert_eq!((line_start(b"ree\n", true), line_start(b"no line feed", true)), (4, 1));
    }
}
