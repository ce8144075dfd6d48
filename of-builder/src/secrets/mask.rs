//! Hides the values of build secrets in texts.
//!
//! It is for accidents: whoever may write the Dockerfile may also turn a value round before it is printed.

use std::collections::BTreeSet;
use std::fmt;
use std::iter;
use std::ops::Range;

use aho_corasick::automaton::Automaton as _;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, BuildError};
use secrecy::ExposeSecret as _;

use super::{BuildSecrets, forms};

/// What is shown instead.
const HIDDEN: &str = "***";

/// What is not to be shown.
#[derive(Default)]
pub(crate) struct Mask {
    /// Sorted.
    hidden: Vec<String>,
    search: Option<NFA>,
    longest: usize,
}

impl Mask {
    /// Hides these secrets, apart from values of less than four bytes.
    ///
    /// # Errors
    /// If they are more than can be looked for.
    pub(crate) fn new(secrets: &BuildSecrets) -> Result<Self, BuildError> {
        let hidden: BTreeSet<String> = secrets.values().flat_map(|value| forms::of(value.expose_secret())).collect();
        if hidden.is_empty() {
            return Ok(Self::default());
        }
        let hidden = Vec::from_iter(hidden);
        let search = Some(NFA::new(&hidden)?);
        Ok(Self { longest: hidden.iter().map(String::len).max().unwrap_or_default(), hidden, search })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hidden.is_empty()
    }

    /// The longest of what is hidden, in bytes.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// The text with everything hidden.
    pub(crate) fn hide(&self, text: &str) -> String {
        replace(text, 0..text.len(), &self.find(text))
    }

    /// The places of what is to be hidden: in their order, and apart from each other. The time does not depend on how many
    /// hidden texts end at one place: only the longest counts, which the search names first.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut places: Vec<Range<usize>> = Vec::new();
        let Some(search) = &self.search else { return places };
        // Only automata that were made for another kind of search have none.
        let Ok(mut state) = search.start_state(Anchored::No) else { return iter::once(0..text.len()).collect() };
        for (at, byte) in text.bytes().enumerate() {
            state = search.next_state(Anchored::No, state, byte);
            if !search.is_match(state) {
                continue;
            }
            let end = at + 1;
            let mut start = end - search.pattern_len(search.match_pattern(state, 0));
            while let Some(before) = places.pop_if(|place| place.end >= start) {
                start = start.min(before.start);
            }
            places.push(start..end);
        }
        places
    }

    /// Where the text's end begins that may be the beginning of something to be hidden; the text's length if it has none.
    pub(super) fn open_end(&self, text: &str) -> usize {
        let first = text.len().saturating_sub(self.longest.saturating_sub(1));
        let last = text.len().saturating_sub(forms::MIN_BYTES);
        let begins = |at: &usize| text.get(*at..).is_some_and(|end| self.begins_with(end));
        if self.is_empty() || text.len() < forms::MIN_BYTES {
            return text.len();
        }
        (first..=last).find(begins).unwrap_or(text.len())
    }

    /// True if something that is hidden begins like this and goes on.
    fn begins_with(&self, text: &str) -> bool {
        let at = self.hidden.partition_point(|hidden| hidden.as_str() <= text);
        self.hidden.get(at).is_some_and(|hidden| hidden.starts_with(text))
    }
}

/// The part of the text, without what lies at the places.
pub(super) fn replace(text: &str, part: Range<usize>, places: &[Range<usize>]) -> String {
    let mut shown = String::with_capacity(part.len());
    let mut at = part.start;
    for place in places {
        let (from, to) = (place.start.max(part.start), place.end.min(part.end));
        if from < to {
            shown.push_str(&text[at..from]);
            shown.push_str(HIDDEN);
            at = to;
        }
    }
    shown.push_str(&text[at..part.end]);
    shown
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mask").field("hidden", &self.hidden.len()).finish()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn mask(values: &[&str]) -> Mask {
        let values = values.iter().enumerate();
        let values = values.map(|(n, value)| (n.to_string(), value.as_bytes().to_vec().into())).collect();
        Mask::new(&BuildSecrets { values }).unwrap()
    }

    #[test]
    fn values_are_hidden_wherever_they_stand() {
        let mask = mask(&["s3cr3t", "other-one"]);
        assert_eq!(mask.hide("s3cr3t and other-one, s3cr3ts3cr3t"), "*** and ***, ***");
        assert_eq!(mask.hide("Authorization: Basic dXNlcjpzM2NyM3Q="), "Authorization: Basic dXNlcjp***Q=");
        assert_eq!(mask.hide("nothing"), "nothing");
        assert!(!format!("{mask:?}").contains("s3cr3t"));
    }

    #[test]
    fn values_that_overlap_are_hidden_whole() {
        let mask = mask(&["abcdef", "defghi", "cdef"]);
        assert_eq!(mask.hide("xabcdefghiy"), "x***y");
    }

    #[test]
    fn of_values_within_each_other_the_longest_is_hidden() {
        let nested: Vec<String> = (4..500).map(|length| "a".repeat(length)).collect();
        let mask = mask(&nested.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(mask.hide(&format!("b{}b", "a".repeat(100_000))), "b***b");
        assert_eq!(mask.find("aaab aaaaab").first(), Some(&(5..10)));
    }

    #[test]
    fn short_and_empty_values_hide_nothing() {
        let mask = mask(&["", "abc", " \n"]);
        assert_eq!(mask.hide("abc  abc"), "abc  abc");
        assert_eq!(mask.open_end("abc"), 3);
    }

    #[test]
    fn a_beginning_at_the_end_is_found_and_a_whole_value_is_none() {
        let mask = mask(&["s3cr3t-value"]);
        assert_eq!(mask.open_end("it is s3cr3t"), 6);
        assert_eq!(mask.open_end("it is s3c"), 9);
        assert_eq!(mask.open_end("it is s3cr3t-value"), 18);
        assert_eq!(mask.open_end("é"), 2);
    }
}
