//! What is wrong with a YAML text, in the words of whoever wrote it: the reader's own words are for
//! programmers and name its options.

use serde_saphyr::Error;

use super::error::{Position, StackError};
use super::schema;
use super::substitute::Substituted;

/// The reader's error with its place in the file as written.
pub(super) fn of(error: &Error, resolved: &Substituted<'_>) -> StackError {
    let error = error.without_snippet();
    let place = error.location();
    let position = place.map_or(Position { line: 1, column: 1 }, |place| schema::original(place, resolved));
    StackError::Yaml { position, problem: problem(error) }
}

fn problem(error: &Error) -> String {
    match error {
        Error::Unexpected { expected: "mapping start", .. } => "a mapping ('key: value') is needed here".to_owned(),
        Error::Unexpected { expected: "sequence start", .. } => "a list is needed here".to_owned(),
        Error::Unexpected { expected: "string scalar" | "scalar", .. } => "a single value is needed here".to_owned(),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key '{}' is there twice", plain(key)),
        Error::DuplicateMappingKey { key: None, .. } => "a key is there twice".to_owned(),
        Error::MultipleDocuments { .. } => "there may be only one document ('---') in the file".to_owned(),
        Error::InvalidBooleanStrict { .. } | Error::InvalidScalar { ty: "boolean", .. } => {
            "true or false is needed here".to_owned()
        }
        Error::InvalidScalar { ty, .. } => format!("this value is not of the type {ty}"),
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "this is larger or deeper than any stack file, or repeats itself too often by aliases".to_owned()
        }
        Error::AliasError { error, .. } => problem(error),
        other => without_place(other),
    }
}

/// The reader puts its own place, that of the resolved text, around the sentence; ours replaces it.
fn without_place(error: &Error) -> String {
    let mut text = plain(error.to_string().lines().next().unwrap_or_default());
    if let Some(place) = error.location() {
        let (line, column) = (place.line(), place.column());
        for own in [format!(" at line {line}, column {column}"), format!("line {line} column {column}: ")] {
            text = text.replace(&own, "");
        }
    }
    text
}

/// Text without control characters, of bounded length.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
