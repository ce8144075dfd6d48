//! The lines of one step's output on their way out. A value may be broken over lines, by a program that wraps them or by
//! our own cutting of endless ones: so a line whose end may be a value's beginning waits for the next one.

use std::collections::VecDeque;
use std::sync::Arc;

use super::mask::{Mask, replace};

/// The end of what was shown, and lines that wait.
#[derive(Debug)]
pub(crate) struct Window {
    mask: Arc<Mask>,
    /// Lines without what is between them.
    text: String,
    /// Where in the text each waiting line ends.
    ends: VecDeque<usize>,
    /// Where in the text the first waiting line begins.
    shown: usize,
}

impl Window {
    pub(crate) fn new(mask: Arc<Mask>) -> Self {
        Self { mask, text: String::new(), ends: VecDeque::new(), shown: 0 }
    }

    /// Takes a line and returns those that can be shown.
    pub(crate) fn push(&mut self, line: String) -> Vec<String> {
        if self.mask.is_empty() {
            return vec![line];
        }
        self.text.push_str(&line);
        self.ends.push_back(self.text.len());
        self.show(self.mask.open_end(&self.text))
    }

    /// The lines that wait; nothing follows them.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        self.show(self.text.len())
    }

    /// The lines that end before `limit`.
    fn show(&mut self, limit: usize) -> Vec<String> {
        let places = if self.ends.is_empty() { Vec::new() } else { self.mask.find(&self.text) };
        let mut lines = Vec::new();
        while let Some(end) = self.ends.pop_front_if(|end| *end <= limit) {
            lines.push(replace(&self.text, self.shown..end, &places));
            self.shown = end;
        }
        self.forget();
        lines
    }

    /// As much of what was shown stays as a value may reach back.
    fn forget(&mut self) {
        let gone = self.text.floor_char_boundary(self.shown.saturating_sub(self.mask.longest()));
        self.text.drain(..gone);
        self.shown -= gone;
        for end in &mut self.ends {
            *end -= gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::mask::tests::mask;

    fn through(values: &[&str], lines: &[&str]) -> Vec<String> {
        let mut window = Window::new(Arc::new(mask(values)));
        let mut shown: Vec<String> = lines.iter().flat_map(|line| window.push((*line).to_owned())).collect();
        shown.extend(window.finish());
        shown
    }

    #[test]
    fn a_value_over_several_lines_is_hidden_in_each() {
        assert_eq!(through(&["s3cr3t-value"], &["a s3cr", "3t-v", "alue b", "c"]), ["a ***", "***", "*** b", "c"]);
    }

    #[test]
    fn lines_wait_only_where_a_value_may_go_on() {
        let mut window = Window::new(Arc::new(mask(&["s3cr3t-value"])));
        assert_eq!(window.push("plain".to_owned()), ["plain"]);
        assert!(window.push("x s3cr3t".to_owned()).is_empty());
        assert_eq!(window.push("no more".to_owned()), ["x s3cr3t", "no more"]);
        assert!(window.push("s3cr3t-".to_owned()).is_empty());
        assert_eq!(window.finish(), ["s3cr3t-"]);
        assert!(window.finish().is_empty());
    }

    #[test]
    fn of_a_value_that_was_begun_unnoticed_the_rest_is_hidden() {
        assert_eq!(through(&["s3cr3t-value"], &["s3", "cr3t-value"]), ["s3", "***"]);
    }

    #[test]
    fn a_long_log_does_not_gather() {
        let mut window = Window::new(Arc::new(mask(&["s3cr3t-value"])));
        for _ in 0..1000 {
            assert_eq!(window.push("a line of a log".to_owned()).len(), 1);
        }
        assert!(window.text.len() < 200, "{}", window.text.len());
        assert_eq!(window.push(String::new()), [""]);
    }

    #[test]
    fn without_secrets_lines_pass_as_they_are() {
        assert_eq!(through(&[], &["a", "", "b"]), ["a", "", "b"]);
    }

    proptest::proptest! {
        #[test]
        fn a_value_never_comes_through_whole(text in "[ab\n]{0,60}") {
            let shown = through(&["abba", "aabbab"], &text.split('\n').collect::<Vec<_>>());
            proptest::prop_assert_eq!(shown.len(), text.split('\n').count());
            proptest::prop_assert!(shown.iter().all(|line| !line.contains("abba") && !line.contains("aabbab")));
        }
    }
}
