//! Takes typed values from a mapping and remembers every problem with its place, unknown keys among them.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

use super::tree::{Key, Node, Place, Value};

/// So similar, from 0 to 1, has a word to be for a suggestion.
const SIMILAR: f64 = 0.7;
/// So much of a value is shown, in characters.
const SHOWN: usize = 60;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    place: Place,
    sentence: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.place.line, self.place.column, self.sentence)
    }
}

/// All that is wrong with one file.
#[derive(Debug, Default)]
pub(crate) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    pub(crate) fn add(&self, place: Place, sentence: impl Into<String>) {
        self.0.borrow_mut().push(Problem { place, sentence: sentence.into() });
    }

    /// In the order of the file.
    pub(crate) fn into_sorted(self) -> Vec<Problem> {
        let mut all = self.0.into_inner();
        all.sort();
        all
    }
}

/// A mapping of a file, or the absence of one.
pub(crate) struct Section<'a> {
    /// The keys that lead here, each with a dot at its end.
    path: String,
    place: Place,
    entries: &'a [(Key, Node)],
    known: RefCell<Vec<&'static str>>,
    problems: &'a Problems,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(crate) fn root(node: &'a Node, problems: &'a Problems) -> Self {
        Self::of(node, String::new(), problems)
    }

    fn of(node: &'a Node, path: String, problems: &'a Problems) -> Self {
        let entries: &[(Key, Node)] = match &node.value {
            Value::Map(entries) => entries,
            Value::Empty => &[],
            Value::Text(_) | Value::List(_) => {
                let what = if path.is_empty() { "the file" } else { path.trim_end_matches('.') };
                problems.add(node.place, format!("{what} has to be a mapping ('key: value' on lines of their own)"));
                &[]
            }
        };
        Self { path, place: node.place, entries, known: RefCell::default(), problems }
    }

    /// True if it has nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The place of a key, or of the mapping that should have it.
    pub(crate) fn place(&self, key: &str) -> Place {
        self.entries.iter().find(|(known, _)| known.name == key).map_or(self.place, |(known, _)| known.place)
    }

    /// Says what is wrong with a key's value: the rest of the sentence that begins with the key.
    pub(crate) fn wrong(&self, key: &str, sentence: impl fmt::Display) {
        self.problems.add(self.place(key), format!("{}{key} {sentence}", self.path));
    }

    fn node(&self, key: &'static str) -> Option<&'a Node> {
        self.known.borrow_mut().push(key);
        let found = self.entries.iter().find(|(known, _)| known.name == key);
        found.map(|(_, node)| node).filter(|node| !matches!(node.value, Value::Empty))
    }

    /// True if the key is there with a value.
    pub(crate) fn has(&self, key: &'static str) -> bool {
        self.node(key).is_some()
    }

    /// A single value as text.
    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        match &self.node(key)?.value {
            Value::Text(text) if text.chars().any(char::is_control) => {
                self.wrong(key, "must be on one line, without control characters");
                None
            }
            Value::Text(text) => Some(text.clone()),
            _ => {
                self.wrong(key, "has to be a single value");
                None
            }
        }
    }

    /// A single value of a type.
    pub(crate) fn parsed<T>(&self, key: &'static str) -> Option<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let text = self.text(key)?;
        text.parse().map_err(|error| self.wrong(key, format!("is '{}': {error}", shown(&text)))).ok()
    }

    /// A number within bounds.
    pub(crate) fn number(&self, key: &'static str, least: u64, most: u64) -> Option<u64> {
        let text = self.text(key)?;
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.wrong(key, format!("is '{}': it has to be a number from {least} to {most}", shown(&text)));
        }
        number
    }

    /// A single value that has to be there.
    pub(crate) fn required<T>(&self, key: &'static str) -> Option<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        if !self.has(key) {
            self.wrong(key, "is missing");
            return None;
        }
        self.parsed(key)
    }

    /// One of some words.
    pub(crate) fn choice<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let meant = similar(&text, &names).map(|word| format!("; did you mean '{word}'?")).unwrap_or_default();
            self.wrong(key, format!("is '{}': it has to be one of {}{meant}", shown(&text), names.join(", ")));
        }
        found
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, key: &'static str) -> Option<bool> {
        self.choice(key, &[("true", true), ("false", false)])
    }

    /// A list of single values, each with its place. A single value is a list of one.
    pub(crate) fn list(&self, key: &'static str) -> Vec<At<String>> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let single = std::slice::from_ref(node);
        let all = if let Value::List(all) = &node.value { all.as_slice() } else { single };
        let element = |node: &Node| match &node.value {
            Value::Text(text) if !text.chars().any(char::is_control) => {
                Some(At { value: text.clone(), place: node.place })
            }
            _ => {
                self.problems.add(node.place, format!("{}{key} has to be a list of single values", self.path));
                None
            }
        };
        all.iter().filter_map(element).collect()
    }

    /// The mappings of a list.
    pub(crate) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let Value::List(all) = &node.value else {
            self.wrong(key, "has to be a list ('- ' before each element)");
            return Vec::new();
        };
        let path = |index: usize| format!("{}{key}[{}].", self.path, index + 1);
        all.iter().enumerate().map(|(index, node)| Section::of(node, path(index), self.problems)).collect()
    }

    /// A mapping within this one; an empty one where there is none.
    pub(crate) fn section(&self, key: &'static str) -> Section<'a> {
        let path = format!("{}{key}.", self.path);
        match self.node(key) {
            Some(node) => Section { place: self.place(key), ..Section::of(node, path, self.problems) },
            None => Section {
                path,
                place: self.place(key),
                entries: &[],
                known: RefCell::default(),
                problems: self.problems,
            },
        }
    }

    /// The keys that nobody has asked for so far.
    pub(crate) fn unread(&self) -> Vec<&'a Key> {
        let known = self.known.borrow();
        self.entries.iter().map(|(key, _)| key).filter(|key| !known.contains(&key.name.as_str())).collect()
    }

    /// Refuses the keys that nobody has asked for.
    pub(crate) fn finish(self) {
        let known = self.known.borrow();
        for key in self.unread() {
            let meant = similar(&key.name, &known).map(|word| format!("; did you mean '{word}'?"));
            let meant = meant.unwrap_or_else(|| format!("; known are {}", known.join(", ")));
            self.problems.add(key.place, format!("{}{} is not known{meant}", self.path, shown(&key.name)));
        }
    }
}

/// The word that was meant, most likely.
fn similar<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    let scored = words.iter().map(|word| (strsim::jaro_winkler(text, word), *word));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= SIMILAR).then_some(best.1)
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}
