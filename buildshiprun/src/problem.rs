//! Why a function is not live: a status, and what git-tar tells the author of the push.

use axum::Json;
use axum::response::{IntoResponse, Response};
use sdk::deploy::NotShipped;
use sdk::failure::Failure;

/// The most of a log that an answer has, in bytes: written as JSON it may become twice as long, and a caller reads
/// 64 KiB.
const MAX_LOG: usize = 24 * 1024;

pub(crate) struct Problem {
    /// Status and sentence; 5xx is worth another try.
    pub(crate) failure: Failure,
    /// The end of a log, or nothing.
    pub(crate) log: String,
    /// The line of the Dockerfile that failed, if the builder knows it.
    pub(crate) line: Option<u32>,
}

impl Problem {
    pub(crate) fn with_log(failure: Failure, log: impl Into<String>) -> Self {
        Self { log: log.into(), ..failure.into() }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self { failure, log: String::new(), line: None }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, error) = (self.failure.status(), self.failure.public().to_owned());
        let answer = NotShipped { error, log: end_of(&self.log).to_owned(), dockerfile_line: self.line };
        // Logs the failure and its cause; the author gets what is said here.
        let _ = self.failure.into_response();
        (status, Json(answer)).into_response()
    }
}

/// The end of a log, from the beginning of a line where it is cut.
fn end_of(log: &str) -> &str {
    let Some(surplus) = log.len().checked_sub(MAX_LOG).filter(|surplus| *surplus > 0) else { return log };
    let start = (surplus..log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(log.len());
    let kept = &log[start..];
    kept.split_once('\n').map_or(kept, |(_, whole_lines)| whole_lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_keeps_its_last_whole_lines() {
        assert_eq!(end_of("short"), "short");
        let long: String = (0..5000).map(|number| format!("zeile ä {number}\n")).collect();
        let end = end_of(&long);
        assert!(end.len() <= MAX_LOG && end.starts_with("zeile") && end.ends_with(" 4999\n"));
        let one_line = "ä".repeat(MAX_LOG);
        assert_eq!(end_of(&one_line).len(), MAX_LOG);
    }
}
