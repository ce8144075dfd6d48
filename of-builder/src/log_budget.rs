//! Keeps a build's log within bounds, and its end readable all the same: that is where the reason stands.

use std::collections::VecDeque;

const MAX_LINES: usize = 20_000;
const MAX_BYTES: usize = 4 * 1024 * 1024;
const LAST_LINES: usize = 40;

/// How much of a log has been let through.
pub(crate) struct LogBudget {
    lines: usize,
    bytes: usize,
    left_out: usize,
    last: VecDeque<String>,
}

impl LogBudget {
    pub(crate) fn new() -> Self {
        Self { lines: MAX_LINES, bytes: MAX_BYTES, left_out: 0, last: VecDeque::new() }
    }

    /// The line, while there is room.
    pub(crate) fn admit(&mut self, line: String) -> Option<String> {
        if self.lines > 0 && self.bytes >= line.len() {
            self.lines -= 1;
            self.bytes -= line.len();
            return Some(line);
        }
        // Once something is left out all that follows is, or the log would have holes.
        self.lines = 0;
        self.last.push_back(line);
        if self.last.len() > LAST_LINES {
            self.last.pop_front();
            self.left_out += 1;
        }
        None
    }

    /// What is still to be shown when the build is over: how much is missing, and the last lines.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        if self.last.is_empty() {
            return Vec::new();
        }
        let mut rest = vec![format!("… {} lines of log left out …", self.left_out)];
        rest.extend(std::mem::take(&mut self.last));
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_log_passes_whole() {
        let mut budget = LogBudget::new();
        assert_eq!(budget.admit("a".to_owned()).as_deref(), Some("a"));
        assert!(budget.finish().is_empty());
    }

    #[test]
    fn a_long_log_keeps_its_beginning_and_its_end() {
        let mut budget = LogBudget::new();
        let passed = (0..30_000).filter_map(|n| budget.admit(n.to_string())).count();
        assert_eq!(passed, MAX_LINES);
        let rest = budget.finish();
        assert_eq!(rest.len(), LAST_LINES + 1);
        assert_eq!(rest[0], "… 9960 lines of log left out …");
        assert_eq!(rest[LAST_LINES], "29999");
    }

    #[test]
    fn long_lines_use_up_the_bytes() {
        let mut budget = LogBudget::new();
        let passed = (0..100).filter_map(|_| budget.admit("x".repeat(MAX_BYTES / 10))).count();
        assert_eq!(passed, 10);
    }
}
