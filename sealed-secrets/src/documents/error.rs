//! What is wrong with a file, in the words of whoever wrote it.

use serde_saphyr::Error;

/// Why a file is refused. The sentences are for its author: they say where, and what to do; nothing of a value is in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", .line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct DocumentError {
    /// The line of the file, from 1 on.
    pub line: Option<usize>,
    /// The sentence.
    pub message: String,
}

impl DocumentError {
    pub(super) fn whole(message: impl Into<String>) -> Self {
        Self { line: None, message: message.into() }
    }

    pub(super) fn at(line: usize, message: impl Into<String>) -> Self {
        Self { line: Some(line), message: message.into() }
    }

    /// The reader's error about a piece that begins in that line.
    pub(super) fn of_reader(error: &Error, first_line: usize) -> Self {
        let error = error.without_snippet();
        let line = error.location().map_or(0, |place| usize::try_from(place.line()).unwrap_or(usize::MAX));
        Self::at(first_line.saturating_add(line.saturating_sub(1)), sentence(error))
    }
}

/// The reader's own sentences name its options, and may repeat what is in the file; so only their kinds are taken.
fn sentence(error: &Error) -> String {
    match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key '{}' is there twice", plain(key)),
        Error::DuplicateMappingKey { key: None, .. } => "a key is there twice".to_owned(),
        Error::MultipleDocuments { .. } => "a document begins here without '---' before it".to_owned(),
        Error::UnknownAnchor { .. } => "there is nothing of this name that '*' could stand for".to_owned(),
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "this is larger or deeper than any sealed secret, or repeats itself by aliases".to_owned()
        }
        Error::AliasError { error, .. } => sentence(error),
        _ => "this is not YAML as sealed secrets are written in; look at the quotes and the indentation".to_owned(),
    }
}

/// Text without control characters, of bounded length.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
