//! One line as it is kept: a JSON object, many of them in a gzip member, and members one behind the other in an object.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use sdk::function_log::Line;
use sdk::gateway::LogLine;
use serde::{Deserialize, Serialize};

/// A line with its time in nanoseconds, by which one and the same line is known when it is read again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Nanoseconds since 1970.
    #[serde(rename = "t")]
    pub(crate) at: u64,
    /// The replica.
    #[serde(rename = "i")]
    pub(crate) instance: String,
    #[serde(rename = "x")]
    pub(crate) text: String,
}

impl Record {
    /// What tells a line from others of the same replica and time.
    pub(crate) fn mark(&self) -> (u64, u64) {
        let mut hasher = DefaultHasher::new();
        (&self.instance, &self.text).hash(&mut hasher);
        (self.at, hasher.finish())
    }

    /// As it is answered.
    pub(crate) fn into_line(self) -> Line {
        Line { at: self.at / 1_000_000, instance: self.instance, text: self.text }
    }

    /// How much of a bound it takes up.
    pub(crate) fn weight(&self) -> usize {
        self.text.len() + self.instance.len() + 64
    }
}

impl From<LogLine> for Record {
    fn from(line: LogLine) -> Self {
        let at = line.timestamp.timestamp_nanos_opt().and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(0);
        Self { at, instance: line.instance, text: line.text }
    }
}

/// A gzip member of these lines, and how long they are without it.
pub(crate) fn pack(records: &[Record]) -> io::Result<(Vec<u8>, usize)> {
    let mut text = Vec::new();
    for record in records {
        serde_json::to_writer(&mut text, record)?;
        text.push(b'\n');
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&text)?;
    Ok((encoder.finish()?, text.len()))
}

/// Hands on the lines of an object. At most `max` bytes of text are unpacked; what is no line is passed over, and what follows
/// a broken place is lost, since an object that was damaged shall not take the whole log with it.
pub(crate) fn unpack(packed: &[u8], max: u64, mut take: impl FnMut(Record)) {
    let mut lines = BufReader::new(MultiGzDecoder::new(packed).take(max));
    let mut line = Vec::new();
    while matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
        if let Ok(record) = serde_json::from_slice(&line) {
            take(record);
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn record(at: u64, text: &str) -> Record {
        Record { at, instance: "a".to_owned(), text: text.to_owned() }
    }

    fn unpacked(packed: &[u8], max: u64) -> Vec<Record> {
        let mut records = Vec::new();
        unpack(packed, max, |record| records.push(record));
        records
    }

    #[test]
    fn lines_come_back_out_of_many_members() {
        let records = [record(1, "<b>\u{1b}[31m\0"), record(2, ""), record(u64::MAX, "ü\u{2028}")];
        let mut packed = pack(&records[..1]).unwrap().0;
        packed.extend(pack(&records[1..]).unwrap().0);
        assert_eq!(unpacked(&packed, 1 << 20), records);
    }

    #[test]
    fn damage_and_length_end_a_log_and_break_nothing() {
        let good = pack(&[record(1, "good")]).unwrap().0;
        assert_eq!(unpacked(&[&good[..], b"no gzip"].concat(), 1 << 20), [record(1, "good")]);
        assert!(unpacked(b"no gzip", 1 << 20).is_empty());
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"no JSON\n{\"t\":1,\"i\":\"a\",\"x\":\"good\"}\n").unwrap();
        encoder.write_all(&vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(unpacked(&encoder.finish().unwrap(), 1000), [record(1, "good")]);
    }

    #[test]
    fn equal_lines_have_equal_marks_and_others_have_not() {
        assert_eq!(record(1, "x").mark(), record(1, "x").mark());
        assert_ne!(record(1, "x").mark(), record(1, "y").mark());
        assert_ne!(record(1, "x").mark(), record(2, "x").mark());
        assert_ne!(record(1, "x").mark(), Record { instance: "b".to_owned(), ..record(1, "x") }.mark());
    }
}
