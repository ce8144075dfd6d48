//! One JSON line per request on standard output, written behind the requests' back.
//!
//! A request only appends its line to a buffer; a thread of its own writes the buffer out, many lines at a
//! time. A reader too slow for that loses lines, never requests, and is told how many it lost.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// Lines waiting for the writer beyond this are dropped.
const CAPACITY: usize = 256 * 1024;
/// So much is written without waiting for more.
const BATCH: usize = 64 * 1024;
/// How long a line may wait for company.
const DELAY: Duration = Duration::from_millis(50);
/// Longer paths and call ids are cut.
const MAX_FIELD: usize = 1024;

/// What is logged of one request. The query is not: it may hold what is secret.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    pub(crate) elapsed: Duration,
    pub(crate) call_id: Option<&'a str>,
    pub(crate) failure: Option<&'static str>,
}

/// The log. Dropping it writes what is left.
#[derive(Debug)]
pub(crate) struct AccessLog {
    buffer: Arc<Buffer>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Buffer {
    pending: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Pending {
    lines: Vec<u8>,
    dropped: u64,
    closed: bool,
}

impl AccessLog {
    /// Starts the thread that writes to `out`.
    pub(crate) fn start(out: impl Write + Send + 'static) -> std::io::Result<Self> {
        let buffer = Arc::new(Buffer::default());
        let source = Arc::clone(&buffer);
        let writer = std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || source.drain_into(out))?;
        Ok(Self {
            buffer,
            writer: Some(writer),
        })
    }

    pub(crate) fn write(&self, entry: &Entry<'_>) {
        thread_local! {
            // One buffer a thread, so that a line costs no allocation.
            static LINE: RefCell<String> = const { RefCell::new(String::new()) };
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            if write_line(line, entry).is_ok() {
                self.buffer.append(line.as_bytes());
            }
        });
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.buffer.lock().closed = true;
        self.buffer.changed.notify_one();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to say.
            let _ = writer.join();
        }
    }
}

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, line: &[u8]) {
        let mut pending = self.lock();
        let before = pending.lines.len();
        if before + line.len() > CAPACITY {
            pending.dropped += 1;
            return;
        }
        pending.lines.extend_from_slice(line);
        let after = pending.lines.len();
        drop(pending);
        if before == 0 || (before < BATCH && after >= BATCH) {
            self.changed.notify_one();
        }
    }

    fn drain_into(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        loop {
            let (dropped, closed) = self.next_batch(&mut batch);
            if dropped > 0 {
                let _ = writeln!(
                    batch,
                    r#"{{"level":"WARN","message":"access log lines dropped","lines":{dropped}}}"#
                );
            }
            // Nobody is left to tell when standard output is gone.
            let _ = out.write_all(&batch).and_then(|()| out.flush());
            batch.clear();
            if closed {
                return;
            }
        }
    }

    /// Waits for lines and swaps them into `batch`; tells how many were dropped and whether this is the end.
    fn next_batch(&self, batch: &mut Vec<u8>) -> (u64, bool) {
        let pending = self.lock();
        let idle = |pending: &mut Pending| pending.lines.is_empty() && !pending.closed;
        let pending = self
            .changed
            .wait_while(pending, idle)
            .unwrap_or_else(PoisonError::into_inner);
        let small = |pending: &mut Pending| pending.lines.len() < BATCH && !pending.closed;
        let waited = self.changed.wait_timeout_while(pending, DELAY, small);
        let (mut pending, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut pending.lines, batch);
        (std::mem::take(&mut pending.dropped), pending.closed)
    }
}

/// Appends the time as RFC 3339 with microseconds. All but the fraction is worked out once a second.
fn push_timestamp(line: &mut String) -> fmt::Result {
    thread_local! {
        static SECOND: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != since.as_secs() || text.is_empty() {
            text.clear();
            SystemTime.format_time(&mut Writer::new(text))?;
            // Up to and with the seconds: 2026-01-31T23:59:59.
            text.truncate(19);
            *second = since.as_secs();
        }
        write!(line, "{text}.{:06}Z", since.subsec_micros())
    })
}

/// A path or a call id is nearly always plain: then it is copied as a whole.
fn push_escaped(line: &mut String, text: &str) {
    let plain = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    if text.len() <= MAX_FIELD && text.bytes().all(plain) {
        line.push_str(text);
    } else {
        push_escaped_slowly(line, text);
    }
}

fn write_line(line: &mut String, entry: &Entry<'_>) -> fmt::Result {
    line.push_str(r#"{"timestamp":""#);
    push_timestamp(line)?;
    line.push_str(r#"","level":"INFO","message":"request","method":""#);
    push_escaped(line, entry.method);
    line.push_str(r#"","uri":""#);
    push_escaped(line, entry.path);
    let (seconds, micros) = (entry.elapsed.as_secs(), entry.elapsed.subsec_micros());
    write!(
        line,
        r#"","status":{},"duration_seconds":{seconds}.{micros:06}"#,
        entry.status
    )?;
    for (name, value) in [("call_id", entry.call_id), ("failure", entry.failure)] {
        if let Some(value) = value {
            write!(line, r#","{name}":""#)?;
            push_escaped(line, value);
            line.push('"');
        }
    }
    line.push_str("}\n");
    Ok(())
}

/// Appends `text` as the inside of a JSON string.
fn push_escaped_slowly(line: &mut String, text: &str) {
    for c in text.chars().take(MAX_FIELD) {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
