//! A YAML text as a tree whose every part knows its place, so that all that is wrong with it can be told at once.
//!
//! Derived readers end at the first problem and change the spelling of what looks like a number (`1.10`).

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// A configuration is smaller; in bytes.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// A place in a file, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// A part of a file.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a part is.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Nothing: `key:`.
    Empty,
    /// A single value, as it is written.
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) name: String,
}

/// Why a text is no tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub(crate) struct Malformed {
    line: u64,
    column: u64,
    problem: String,
}

/// Reads a text under budgets that no honest configuration reaches.
///
/// # Errors
/// When it is not one document of YAML, or too large.
pub(crate) fn read(text: &str) -> Result<Node, Malformed> {
    let malformed = |line, column, problem: &str| Malformed { line, column, problem: problem.to_owned() };
    if text.len() > MAX_BYTES {
        return Err(malformed(1, 1, "the file is larger than any configuration"));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 2, max_depth: 16, max_events: 50_000, max_nodes: 20_000, max_aliases: 100, max_anchors: 100,
            max_total_scalar_bytes: 2 * 1024 * 1024, max_merge_keys: 100,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 20_000, max_replay_stack_depth: 8 },
        with_snippet: false,
    };
    let raw: Result<Option<Spanned<Raw>>, _> = serde_saphyr::from_str_with_options(text, options);
    match raw {
        Ok(Some(raw)) => Ok(node(raw, text)),
        Ok(None) => Ok(Node { place: Place { line: 1, column: 1 }, value: Value::Empty }),
        Err(error) => {
            let error = error.without_snippet();
            let place = error.location().map_or(Place { line: 1, column: 1 }, place);
            Err(malformed(place.line, place.column, problem(error)))
        }
    }
}

/// The reader's own words are for programmers, and may quote what is written there.
fn problem(error: &serde_saphyr::Error) -> &'static str {
    use serde_saphyr::Error;
    match error {
        Error::DuplicateMappingKey { .. } => "a key is there twice",
        Error::MultipleDocuments { .. } => "there may be only one document ('---') in the file",
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => "this is larger or deeper than any configuration",
        Error::AliasError { error, .. } => problem(error),
        _ => "this is not YAML; look at the indentation, and for quotes and brackets that are not closed",
    }
}

fn place(location: Location) -> Place {
    Place { line: location.line(), column: location.column() }
}

/// A part before what looks like a number has its spelling back.
#[derive(Debug)]
enum Raw {
    Empty,
    Text(String),
    /// Something that is not to be taken for a number, a truth or a moment, but for its text.
    Spelled,
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn node(raw: Spanned<Raw>, text: &str) -> Node {
    let value = match raw.value {
        Raw::Empty => Value::Empty,
        Raw::Text(text) => Value::Text(text),
        Raw::Spelled => Value::Text(spelling(raw.defined, text)),
        Raw::List(all) => Value::List(all.into_iter().map(|raw| node(raw, text)).collect()),
        Raw::Map(all) => {
            let entry = |(name, raw): (Spanned<String>, _)| {
                (Key { place: place(name.referenced), name: name.value }, node(raw, text))
            };
            Value::Map(all.into_iter().map(entry).collect())
        }
    };
    Node { place: place(raw.referenced), value }
}

fn spelling(location: Location, text: &str) -> String {
    let span = location.span();
    let narrow = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok());
    let range = narrow(span.byte_offset()).zip(narrow(span.byte_len()));
    let written = range.and_then(|(start, length)| text.get(start..start.checked_add(length)?));
    written.unwrap_or_default().trim().to_owned()
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, a list or a mapping")
            }

            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Empty)
            }

            fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
                Ok(Raw::Text(text.to_owned()))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
                Ok(Raw::Spelled)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
                Ok(Raw::Spelled)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
                Ok(Raw::Spelled)
            }

            fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
                Ok(Raw::Spelled)
            }

            fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
                Ok(Raw::Spelled)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
                Ok(Raw::Spelled)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Raw, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = all.next_element()? {
                    list.push(element);
                }
                Ok(Raw::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Raw, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = all.next_entry()? {
                    map.push(entry);
                }
                Ok(Raw::Map(map))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(node: &Node, key: &str) -> String {
        let Value::Map(all) = &node.value else { panic!("no mapping") };
        let (_, found) = all.iter().find(|(known, _)| known.name == key).unwrap();
        match &found.value {
            Value::Text(text) => text.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_keep_their_spelling() {
        let all = "a: 1.10\nb: 0755\nc: yes\nd: true # said\ne: &x 1e3\nf: *x\ng: off\nh: \"0x10\"\ni: 99999999999999999999\n";
        let node = read(all).unwrap();
        let spelled = ["a", "b", "c", "d", "e", "f", "g", "h", "i"].map(|key| text(&node, key));
        assert_eq!(spelled, ["1.10", "0755", "yes", "true", "1e3", "1e3", "off", "0x10", "99999999999999999999"]);
    }

    #[test]
    fn places_are_where_things_stand() {
        let node = read("a:\n  - b\n  - {c: d}\n").unwrap();
        let Value::Map(all) = &node.value else { panic!() };
        assert_eq!(all[0].0.place, Place { line: 1, column: 1 });
        let Value::List(list) = &all[0].1.value else { panic!() };
        assert_eq!((list[0].place, list[1].place.line), (Place { line: 2, column: 5 }, 3));
    }

    #[test]
    fn what_is_no_configuration_is_refused_and_not_quoted() {
        let said = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(said("a: hunter2\na: hunter2\n"), "line 2, column 1: a key is there twice");
        assert!(said("a: 1\n---\nb: 2\n").contains("one document"));
        assert!(said("a: [hunter2\n").contains("not YAML"));
        assert!(!said("a: [hunter2\n").contains("hunter2"));
        assert!(said(&"a".repeat(MAX_BYTES + 1)).contains("larger"));
        let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
        assert!(said(&deep).contains("deeper"), "{}", said(&deep));
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (to, from) in ["b", "c", "d", "e", "f", "g"].iter().zip(["a", "b", "c", "d", "e", "f"]) {
            bomb += &format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 9].join(", "));
        }
        assert!(said(&bomb).contains("larger"), "{}", said(&bomb));
        assert!(matches!(read("").unwrap().value, Value::Empty));
    }
}
