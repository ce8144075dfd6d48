//! One line. Written by hand: it is made for every request.

use std::io::Write as _;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use http::Version;

use crate::serving::record::{Asked, Record};

/// The time as text. The part before the milliseconds is made once a second.
#[derive(Debug, Default)]
pub(super) struct Clock {
    second: u64,
    text: Vec<u8>,
}

impl Clock {
    pub(super) fn text(&mut self, now: SystemTime) -> &[u8] {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.second != since.as_secs() || self.text.is_empty() {
            self.second = since.as_secs();
            self.text = DateTime::<Utc>::from(now).format("%Y-%m-%dT%H:%M:%S.000Z").to_string().into_bytes();
        }
        let millis = since.subsec_millis();
        let digit = |value: u32| b'0' + u8::try_from(value % 10).unwrap_or(0);
        if let [.., hundreds, tens, ones, _] = self.text.as_mut_slice() {
            (*hundreds, *tens, *ones) = (digit(millis / 100), digit(millis / 10), digit(millis));
        }
        &self.text
    }
}

/// Appends a request as one line of JSON. No query, no header but the host: nothing secret is in it.
pub(super) fn write(out: &mut Vec<u8>, time: &[u8], record: &Record, seconds: f64) {
    out.extend_from_slice(b"{\"time\":\"");
    out.extend_from_slice(time);
    out.extend_from_slice(b"\",\"client\":");
    text(out, record.slot.address.as_bytes());
    if let Some(asked) = &record.asked {
        head(out, asked);
    }
    let received = record.received.load(Ordering::Relaxed);
    // Writing to a vector does not fail.
    let _ = write!(
        out,
        ",\"status\":{},\"bytes_in\":{received},\"bytes_out\":{},\"seconds\":{seconds:.6},\"call_id\":",
        record.status, record.sent
    );
    text(out, record.call_id.as_bytes());
    let callee = record.callee.as_ref();
    let (owner, function) = (callee.map(|callee| callee.owner.as_str()), callee.map(|callee| callee.function.as_str()));
    for (name, value) in [("owner", owner), ("function", function), ("user", record.user.as_deref())] {
        if let Some(value) = value {
            let _ = write!(out, ",\"{name}\":");
            text(out, value.as_bytes());
        }
    }
    out.extend_from_slice(b"}\n");
}

fn head(out: &mut Vec<u8>, asked: &Asked) {
    out.extend_from_slice(b",\"method\":");
    text(out, asked.method.as_str().as_bytes());
    if let Some(host) = &asked.host {
        out.extend_from_slice(b",\"host\":");
        text(out, host.as_bytes());
    }
    out.extend_from_slice(b",\"path\":");
    text(out, crate::route::shown(asked.uri.path()).as_bytes());
    out.extend_from_slice(b",\"protocol\":\"");
    out.extend_from_slice(protocol(asked.version));
    out.push(b'"');
}

fn protocol(version: Version) -> &'static [u8] {
    match version {
        Version::HTTP_2 => b"HTTP/2",
        Version::HTTP_10 => b"HTTP/1.0",
        _ => b"HTTP/1.1",
    }
}

/// A string of JSON. Bytes that are no ASCII, which a host or a path may hold, become question marks.
fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x20..0x7f => out.push(byte),
            _ => out.push(b'?'),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_have_milliseconds() {
        let mut clock = Clock::default();
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        assert_eq!(clock.text(at(1_700_000_000_007)), b"2023-11-14T22:13:20.007Z");
        assert_eq!(clock.text(at(1_700_000_000_990)), b"2023-11-14T22:13:20.990Z");
        assert_eq!(clock.text(at(1_700_000_001_123)), b"2023-11-14T22:13:21.123Z");
    }

    #[test]
    fn what_clients_send_cannot_end_a_line() {
        let mut out = Vec::new();
        text(&mut out, b"a\"b\\c\n\x01\xffd");
        assert_eq!(out, b"\"a\\\"b\\\\c???d\"");
    }
}
