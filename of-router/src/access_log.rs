//! The access log: a line of JSON for each request, written by a thread of its own. Serving never waits for it:
//! what does not fit is counted and left out.

mod line;
mod writer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::serving::AccessLog;
use crate::serving::record::Record;

/// What may wait for the disk, in bytes.
const MOST_WAITING: usize = 4 << 20;

/// Where requests are written down.
#[derive(Debug)]
pub(crate) enum Log {
    Off,
    Events,
    Lines(Lines),
}

/// Lines on their way to a file.
#[derive(Debug)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    clock: line::Clock,
    reopen: bool,
    ended: bool,
}

impl Log {
    /// Opens the log.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub(crate) fn open(target: &AccessLog) -> std::io::Result<Self> {
        let path = match target {
            AccessLog::Off => return Ok(Self::Off),
            AccessLog::Events => return Ok(Self::Events),
            AccessLog::Stdout => None,
            AccessLog::File(path) => Some(path.clone()),
        };
        let shared = Arc::new(Shared::default());
        let writer = writer::Writer::open(path)?;
        let work = shared.clone();
        let thread = std::thread::Builder::new().name("access-log".to_owned()).spawn(move || writer.run(&work))?;
        Ok(Self::Lines(Lines { shared, thread: Some(thread) }))
    }

    /// Whether requests are written down at all.
    pub(crate) fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Writes a request down.
    pub(crate) fn write(&self, record: &Record, seconds: f64) {
        match self {
            Self::Off => {}
            Self::Events => event(record, seconds),
            Self::Lines(lines) => lines.shared.write(record, seconds),
        }
    }

    /// Opens the file by its name again, before the next line is written.
    pub(crate) fn reopen(&self) {
        if let Self::Lines(lines) = self {
            lines.shared.waiting().reopen = true;
            lines.shared.wake.notify_one();
        }
    }

    /// Lines that were left out.
    pub(crate) fn dropped(&self) -> u64 {
        match self {
            Self::Lines(lines) => lines.shared.dropped.load(Ordering::Relaxed),
            Self::Off | Self::Events => 0,
        }
    }
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, record: &Record, seconds: f64) {
        let now = std::time::SystemTime::now();
        let mut waiting = self.waiting();
        if waiting.bytes.len() >= MOST_WAITING {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Waiting { bytes, clock, .. } = &mut *waiting;
        let first = bytes.is_empty();
        line::write(bytes, clock.text(now), record, seconds);
        drop(waiting);
        if first {
            self.wake.notify_one();
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.shared.waiting().ended = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn event(record: &Record, seconds: f64) {
    let Some(asked) = &record.asked else { return };
    tracing::info!(
        method = %asked.method,
        host = asked.host.as_ref().and_then(|h| h.to_str().ok()),
        path = crate::route::shown(asked.uri.path()),
        status = record.status,
        seconds,
        client = record.slot.address.to_str().unwrap_or_default(),
        call_id = record.call_id.as_str(),
        user = record.user,
        "request"
    );
}
