//! A YAML document as a tree in which every part knows its line.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::error::DocumentError;
use super::pieces::Piece;

/// What stands at one place.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Nothing,
    Text(String),
    True,
    /// A number or `false`, which never mean anything here.
    Other,
    List,
    Map(Vec<(String, Node)>),
}

/// A part of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Its line in the file, from 1 on.
    pub(super) line: usize,
    pub(super) content: Content,
}

/// Reads a piece under budgets that no honest one reaches; `None` for an empty one.
pub(super) fn read(piece: &Piece<'_>) -> Result<Option<Node>, DocumentError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 1,
            max_depth: 16,
            max_events: 20_000,
            max_nodes: 10_000,
            max_aliases: 100,
            max_anchors: 100,
            max_total_scalar_bytes: 4 * 1024 * 1024,
            max_merge_keys: 10,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 8,
        },
        with_snippet: false,
    };
    let read: Option<Spanned<Raw>> = serde_saphyr::from_str_with_options(piece.text, options)
        .map_err(|error| DocumentError::of_reader(&error, piece.line))?;
    let node = read.map(|raw| raw.value.placed(line(&raw.referenced), piece.line - 1));
    Ok(node.filter(|node| node.content != Content::Nothing))
}

/// The same tree while it is read: lines are the piece's.
enum Raw {
    Leaf(Content),
    Map(Vec<(String, Spanned<Raw>)>),
}

impl Raw {
    fn placed(self, line_in_piece: usize, before: usize) -> Node {
        let line = before + line_in_piece;
        let content = match self {
            Self::Leaf(content) => content,
            Self::Map(entries) => {
                let place = |(key, raw): (String, Spanned<Self>)| {
                    let line = self::line(&raw.referenced);
                    (key, raw.value.placed(line, before))
                };
                Content::Map(entries.into_iter().map(place).collect())
            }
        };
        Node { line, content }
    }
}

fn line(place: &serde_saphyr::Location) -> usize {
    usize::try_from(place.line()).unwrap_or(usize::MAX).max(1)
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Leaf(Content::Nothing))
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Raw, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Leaf(Content::Text(text.to_owned())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Leaf(if value { Content::True } else { Content::Other }))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Leaf(Content::Other))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Leaf(Content::Other))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Leaf(Content::Other))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Leaf(Content::Other))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Leaf(Content::Other))
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Raw, E> {
        Ok(Raw::Leaf(Content::Other))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        while list.next_element::<serde::de::IgnoredAny>()?.is_some() {}
        Ok(Raw::Leaf(Content::List))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
