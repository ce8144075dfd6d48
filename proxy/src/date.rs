//! The line that says what time it is; made once a second for each thread.

use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime};

/// Appends it.
pub(crate) fn write(out: &mut Vec<u8>) {
    thread_local! {
        static LINE: RefCell<(Option<Instant>, String)> = const { RefCell::new((None, String::new())) };
    }
    LINE.with_borrow_mut(|(made, line)| {
        let now = Instant::now();
        if made.is_none_or(|made| now.duration_since(made) >= Duration::from_millis(500)) {
            *line = format!("date: {}\r\n", httpdate::HttpDate::from(SystemTime::now()));
            *made = Some(now);
        }
        out.extend_from_slice(line.as_bytes());
    });
}
