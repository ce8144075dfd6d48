//! A build's steps, as far as its log tells: of-builder writes a step's name at a line's beginning, what the step says two
//! spaces further in, and at last how long it took.
//!
//! Everything in a log may be a stranger's words. What looks like an end and is none is taken back by what follows it, so at
//! worst a step of the stranger's own shows a wrong time.

use std::collections::HashMap;

use serde::Serialize;

use crate::build_log::Part;
use crate::words;

/// More steps are not listed.
const MOST: usize = 300;
/// A longer name is cut, in characters.
const MAX_NAME: usize = 200;
/// Of a longer line only the beginning is looked at, in bytes: of-builder writes no longer name.
const MAX_LINE: usize = 2 * 1024;
const CONTINUED: &str = " (continued)";
const CACHED: &str = " (cached)";
/// How names begin that are known to be steps' even before anything is below them.
const BEGINNINGS: [&str; 2] = ["[", "exporting to "];

/// How a step stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// No end so far.
    Open,
    Done(u64),
    Cached,
    /// So many milliseconds after its beginning, like the others.
    Failed(u64),
    Cancelled(u64),
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    /// Its first line's place in the log.
    at: u64,
    name: String,
    state: State,
    /// Whether its end was told with its name, so that what it says comes after that.
    told_at_once: bool,
}

/// A step as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Shown {
    pub(crate) at: u64,
    pub(crate) name: String,
    pub(crate) word: &'static str,
    pub(crate) mark: &'static str,
    pub(crate) took: String,
}

/// The steps of what was read so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    all: Vec<Step>,
    /// By the line that announced them, and by the name that this has.
    known: HashMap<String, usize>,
    /// The step that lines are of at the moment.
    current: Current,
    /// How many are not listed.
    pub(crate) left_out: usize,
}

#[derive(Debug, Default)]
enum Current {
    #[default]
    None,
    Step(usize),
    /// A line that is a step's name if something is below it.
    Perhaps {
        at: u64,
        line: String,
    },
}

impl Steps {
    /// The steps of a part of a log that begins with a line, up to a byte of the log.
    pub(crate) fn of(part: &Part, end: u64) -> Self {
        let (mut steps, mut at) = (Self::default(), part.start);
        for line in part.bytes.split_inclusive(|byte| *byte == b'\n') {
            if at >= end {
                break;
            }
            steps.take(at, line);
            at += line.len() as u64;
        }
        steps
    }

    /// Takes the next line; the number of the step that it is about.
    pub(crate) fn take(&mut self, at: u64, line: &[u8]) -> Option<usize> {
        let line = String::from_utf8_lossy(&line[..line.len().min(MAX_LINE)]);
        let line = line.trim_end_matches(['\r', '\n']);
        match line.strip_prefix("  ") {
            Some(said) => self.said(said),
            None => self.named(at, line),
        }
    }

    /// All of them. `is_live`: whether a step without an end is still running.
    pub(crate) fn shown(&self, is_live: bool) -> Vec<Shown> {
        (0..self.all.len()).filter_map(|index| self.one(index, is_live)).collect()
    }

    /// One of them.
    pub(crate) fn one(&self, index: usize, is_live: bool) -> Option<Shown> {
        let Step { at, name, state, .. } = self.all.get(index)?;
        let (word, mark, took) = match state {
            State::Open if is_live => ("Running", "busy", None),
            State::Open => ("End not told", "calm", None),
            State::Done(millis) => ("Done", "good", Some(*millis)),
            State::Cached => ("Cached", "calm", None),
            State::Failed(millis) => ("Failed", "bad", Some(*millis)),
            State::Cancelled(millis) => ("Cancelled", "calm", Some(*millis)),
        };
        Some(Shown { at: *at, name: name.clone(), word, mark, took: took.map(words::took).unwrap_or_default() })
    }

    fn said(&mut self, said: &str) -> Option<usize> {
        let begun = match std::mem::take(&mut self.current) {
            Current::Perhaps { at, line } => self.begin(at, &line, &line, State::Open),
            current => {
                self.current = current;
                None
            }
        };
        let Current::Step(index) = self.current else { return None };
        let step = self.all.get_mut(index)?;
        let before = step.state.clone();
        match end(said) {
            Some(state) => (step.state, step.told_at_once) = (state, false),
            None if step.told_at_once => {}
            None => step.state = State::Open,
        }
        (step.state != before).then_some(index).or(begun)
    }

    fn named(&mut self, at: u64, line: &str) -> Option<usize> {
        self.current = Current::None;
        if let Some(name) = line.strip_suffix(CONTINUED) {
            let Some(index) = self.known.get(name) else {
                // One that is not listed is counted once, where it begins.
                return (self.all.len() < MOST).then(|| self.begin(at, name, name, State::Open)).flatten();
            };
            self.current = Current::Step(*index);
            return None;
        }
        if let Some(name) = line.strip_suffix(CACHED) {
            return self.begin(at, line, name, State::Cached);
        }
        if let Some((name, state)) = line.rsplit_once(" (").and_then(|(name, time)| Some((name, done(time)?))) {
            return self.begin(at, line, name, state);
        }
        if BEGINNINGS.iter().any(|beginning| line.starts_with(beginning)) {
            return self.begin(at, line, line, State::Open);
        }
        if !line.is_empty() {
            self.current = Current::Perhaps { at, line: line.to_owned() };
        }
        None
    }

    fn begin(&mut self, at: u64, line: &str, name: &str, state: State) -> Option<usize> {
        if self.all.len() >= MOST {
            self.left_out += 1;
            return None;
        }
        let index = self.all.len();
        // What a line ends with may be the name's own: the step is known by either.
        for known in [line, name] {
            self.known.insert(known.to_owned(), index);
        }
        let told_at_once = state != State::Open;
        let name = crate::ansi::plain(&crate::ansi::spans(name.as_bytes(), &mut Default::default()));
        self.all.push(Step { at, name: name.chars().take(MAX_NAME).collect(), state, told_at_once });
        self.current = Current::Step(index);
        Some(index)
    }
}

/// The last line of a step, without what it is indented by.
fn end(said: &str) -> Option<State> {
    let inside = said.strip_prefix('(')?;
    let after = |word: &str| inside.strip_prefix(word).and_then(millis);
    let failed = || after("failed after ").map(State::Failed);
    done(inside).or_else(failed).or_else(|| after("cancelled after ").map(State::Cancelled))
}

fn done(inside: &str) -> Option<State> {
    millis(inside).map(State::Done)
}

/// `3.0 s)` in milliseconds.
fn millis(text: &str) -> Option<u64> {
    let number = text.strip_suffix(" s)")?;
    let (whole, part) = number.split_once('.')?;
    let is_number =
        |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole, 7) || !is_number(part, 3) {
        return None;
    }
    let thousandths = format!("{part:0<3}").parse::<u64>().ok()?;
    Some(whole.parse::<u64>().ok()? * 1000 + thousandths)
}

#[cfg(test)]
mod tests;
