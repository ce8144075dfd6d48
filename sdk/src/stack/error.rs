//! Why a stack file is refused.

use std::fmt;

/// A place in a text, both numbers from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The place of a byte offset in `text`.
    pub(super) fn of_offset(text: &str, offset: usize) -> Self {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        Self { line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a stack file is refused. Each sentence may be shown to whoever pushed the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StackError {
    /// The file is too big to be read.
    #[error("the stack file has {bytes} bytes and may have {max}: split it over several repositories")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// A `${…}` that is not understood.
    #[error(transparent)]
    Substitution(super::substitute::SubstituteError),
    /// Not YAML, or not of a stack file's shape.
    #[error("{position}: {problem}")]
    Yaml {
        /// Where.
        position: Position,
        /// What.
        problem: String,
    },
    /// The provider is missing or another one.
    #[error("provider.name is '{found}': write 'openfaas'")]
    Provider {
        /// What is written there.
        found: String,
    },
    /// The version is another one.
    #[error("version is '{found}': write '1.0' or leave the line out")]
    Version {
        /// What is written there.
        found: String,
    },
    /// More functions than allowed.
    #[error("the stack has {count} functions and may have {max}: split it over several repositories")]
    TooManyFunctions {
        /// How many there are.
        count: usize,
        /// The bound.
        max: usize,
    },
    /// A value of one function cannot be used.
    #[error("{position}: function '{function}': {problem}")]
    Function {
        /// Where the function begins.
        position: Position,
        /// Its name, shortened and without control characters.
        function: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A value of `configuration` cannot be used.
    #[error("configuration: {problem}")]
    Configuration {
        /// What is wrong and what to do.
        problem: String,
    },
}

impl StackError {
    /// The place in the file as it was written, where there is one.
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Substitution(error) => Some(error.position),
            Self::Yaml { position, .. } | Self::Function { position, .. } => Some(*position),
            Self::TooLarge { .. }
            | Self::Provider { .. }
            | Self::Version { .. }
            | Self::TooManyFunctions { .. }
            | Self::Configuration { .. } => None,
        }
    }

    /// The key at the top of the file that is wrong, where there is no exact place.
    pub fn top_key(&self) -> Option<&'static str> {
        match self {
            Self::Provider { .. } => Some("provider"),
            Self::Version { .. } => Some("version"),
            Self::TooManyFunctions { .. } => Some("functions"),
            Self::Configuration { .. } => Some("configuration"),
            Self::TooLarge { .. } | Self::Substitution(_) | Self::Yaml { .. } | Self::Function { .. } => None,
        }
    }
}
