//! Which lines a question is about, and the newest of them.

use sdk::failure::Failure;
use sdk::function_log::{FunctionLogRequest, MAX_GREP_BYTES, MAX_LINES, MAX_TEXT_BYTES};

use crate::layout::Piece;
use crate::record::Record;

/// The longest name of a replica, in bytes: a whole container id.
const MAX_INSTANCE_BYTES: usize = 64;
const NANOS: u64 = 1_000_000;

/// A question that was looked over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// From then on, in nanoseconds since 1970.
    pub(crate) since: u64,
    /// Before then.
    pub(crate) until: u64,
    /// In lower case.
    grep: Option<String>,
    instance: Option<String>,
    pub(crate) lines: usize,
}

impl Wanted {
    pub(crate) fn of(request: &FunctionLogRequest) -> Result<Self, Failure> {
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (grep, instance) = (text(&request.grep), text(&request.instance));
        if grep.as_ref().is_some_and(|grep| grep.len() > MAX_GREP_BYTES) {
            return Err(Failure::bad_request(format!("the text to search for has more than {MAX_GREP_BYTES} bytes")));
        }
        if instance.as_ref().is_some_and(|name| name.len() > MAX_INSTANCE_BYTES) {
            return Err(Failure::bad_request(format!("the replica's name has more than {MAX_INSTANCE_BYTES} bytes")));
        }
        Ok(Self {
            since: request.since.unwrap_or(0).saturating_mul(NANOS),
            until: request.until.map_or(u64::MAX, |until| until.saturating_mul(NANOS)),
            grep: grep.map(|grep| grep.to_lowercase()),
            instance,
            lines: request.tail.unwrap_or(MAX_LINES).min(MAX_LINES),
        })
    }

    /// The same about lines that come from now on.
    pub(crate) fn without_end(self) -> Self {
        Self { until: u64::MAX, ..self }
    }

    /// Whether a line is one of them. A replica may be named by the beginning of its name, as at the gateway.
    pub(crate) fn has(&self, record: &Record) -> bool {
        let timely = (self.since..self.until).contains(&record.at);
        let its = self.instance.as_ref().is_none_or(|name| record.instance.starts_with(name.as_str()));
        timely && its && self.grep.as_ref().is_none_or(|grep| record.text.to_lowercase().contains(grep.as_str()))
    }
}

/// The newest lines that are wanted, out of many that come in any order.
pub(crate) struct Newest {
    wanted: Wanted,
    records: Vec<Record>,
    weight: usize,
    /// All lines before this one's time would be left out.
    floor: u64,
}

impl Newest {
    pub(crate) fn new(wanted: Wanted) -> Self {
        Self { wanted, records: Vec::new(), weight: 0, floor: 0 }
    }

    pub(crate) fn offer(&mut self, record: Record) {
        if record.at < self.floor || !self.wanted.has(&record) {
            return;
        }
        self.weight += record.weight();
        self.records.push(record);
        // Sorted now and then, not at each line.
        if self.records.len() > 2 * self.wanted.lines.max(64) || self.weight > 2 * MAX_TEXT_BYTES {
            self.trim();
        }
    }

    /// Whether a line of this time or before could still be one of the newest.
    pub(crate) fn has_room_for(&mut self, at: u64) -> bool {
        self.trim();
        at >= self.floor
    }

    /// What they are chosen by.
    pub(crate) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Whether an object can have something that is wanted.
    pub(crate) fn may_want(&self, piece: &Piece) -> bool {
        piece.may_have(self.wanted.since, self.wanted.until)
    }

    /// Those that there are so far.
    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    /// The newest ones, the oldest first.
    pub(crate) fn finish(mut self) -> Vec<Record> {
        self.trim();
        self.records
    }

    fn trim(&mut self) {
        self.records.sort_by_key(|record| record.at);
        let (mut first, mut weight) = (self.records.len(), 0);
        while first > 0 && self.records.len() - first < self.wanted.lines {
            weight += self.records[first - 1].weight();
            if weight > MAX_TEXT_BYTES {
                break;
            }
            first -= 1;
        }
        let is_full = first > 0 || self.records.len() >= self.wanted.lines;
        self.records.drain(..first);
        self.weight = self.records.iter().map(Record::weight).sum();
        if is_full {
            self.floor = self.records.first().map_or(u64::MAX, |oldest| oldest.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> FunctionLogRequest {
        serde_json::from_str(r#"{"owner_id":{"host":"git.localhost","id":7},"function":"alice-a"}"#).unwrap()
    }

    fn record(at: u64, text: &str) -> Record {
        Record { at, instance: "abcdef".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn times_text_and_replica_decide() {
        let wanted = |edit: fn(&mut FunctionLogRequest)| {
            let mut request = request();
            edit(&mut request);
            Wanted::of(&request).unwrap()
        };
        let line = record(5_000_000, "An ERROR, \u{1b}[31m.*");
        assert!(wanted(|_| ()).has(&line));
        assert!(wanted(|r| r.since = Some(5)).has(&line) && !wanted(|r| r.since = Some(6)).has(&line));
        assert!(wanted(|r| r.until = Some(6)).has(&line) && !wanted(|r| r.until = Some(5)).has(&line));
        assert!(wanted(|r| r.until = Some(5)).without_end().has(&line));
        assert!(wanted(|r| r.grep = Some("error".to_owned())).has(&line));
        assert!(wanted(|r| r.grep = Some("\u{1b}[31m.*".to_owned())).has(&line));
        assert!(!wanted(|r| r.grep = Some("e.*r".to_owned())).has(&line), "it is no pattern");
        assert!(wanted(|r| r.instance = Some("abc".to_owned())).has(&line));
        assert!(!wanted(|r| r.instance = Some("bcd".to_owned())).has(&line));
        assert_eq!(wanted(|r| r.since = Some(u64::MAX)).since, u64::MAX);
        assert_eq!(wanted(|r| r.tail = Some(usize::MAX)).lines, MAX_LINES);
    }

    #[test]
    fn long_texts_are_refused() {
        let long = FunctionLogRequest { grep: Some("x".repeat(257)), ..request() };
        assert_eq!(Wanted::of(&long).unwrap_err().status(), 400);
        let long = FunctionLogRequest { instance: Some("x".repeat(65)), ..request() };
        assert_eq!(Wanted::of(&long).unwrap_err().status(), 400);
    }

    #[test]
    fn the_newest_stay_whatever_order_they_come_in() {
        let wanted = Wanted::of(&FunctionLogRequest { tail: Some(3), ..request() }).unwrap();
        let mut newest = Newest::new(wanted);
        for number in 0..1000_u64 {
            newest.offer(record(number * 7919 % 1000, "x"));
        }
        assert!(newest.has_room_for(997) && !newest.has_room_for(996));
        assert_eq!(newest.finish().iter().map(|record| record.at).collect::<Vec<_>>(), [997, 998, 999]);
        let mut none = Newest::new(Wanted::of(&FunctionLogRequest { tail: Some(0), ..request() }).unwrap());
        none.offer(record(1, "x"));
        assert!(none.finish().is_empty());
    }

    #[test]
    fn long_lines_leave_fewer() {
        let mut newest = Newest::new(Wanted::of(&request()).unwrap());
        let long = "x".repeat(1024 * 1024);
        for number in 0..40 {
            newest.offer(record(number, &long));
        }
        let kept = newest.finish();
        assert_eq!((kept.len(), kept.last().unwrap().at), (7, 39));
    }
}
