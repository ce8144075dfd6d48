//! How a command ends: what went wrong, why, and what to do about it.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// A sentence about what went wrong, with advice and the cause.
#[derive(Debug)]
pub struct Trouble {
    sentence: String,
    hint: Option<String>,
    cause: Option<Box<dyn Error + Send + Sync>>,
    usage: bool,
}

impl Trouble {
    /// Something that failed: exit code 1.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), hint: None, cause: None, usage: false }
    }

    /// A command that was not meant so: exit code 2.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self { usage: true, ..Self::new(sentence) }
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

/// The exit code of a command that has said everything already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(pub u8);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.0)
    }
}

impl Error for Exit {}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl Error for Trouble {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// The error's sentence, its causes and its hint, one a line.
pub fn render(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        text.push_str("\n  caused by: ");
        text.push_str(&cause.to_string());
    }
    let hint = error.chain().find_map(|cause| cause.downcast_ref::<Trouble>()?.hint.as_deref());
    if let Some(hint) = hint {
        text.push_str("\n  hint: ");
        text.push_str(hint);
    }
    text
}

/// The exit code of a command that ended with `result`, after the error is shown.
pub fn conclude(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if let Some(Exit(code)) = error.downcast_ref() {
        return ExitCode::from(*code);
    }
    let style = crate::terminal::ERROR;
    anstream::eprintln!("{style}error:{style:#} {}", render(&error));
    let usage = error.chain().any(|cause| cause.downcast_ref::<Trouble>().is_some_and(|trouble| trouble.usage));
    ExitCode::from(if usage { 2 } else { 1 })
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn the_hint_comes_last_wherever_it_was_given() {
        let refused = std::io::Error::other("connection refused");
        let trouble = Trouble::new("no container engine answers").hint("run scripts/engine start").because(refused);
        let error = Err::<(), _>(trouble).context("the platform cannot start").unwrap_err();
        insta::assert_snapshot!(render(&error), @r"
        the platform cannot start
          caused by: no container engine answers
          caused by: connection refused
          hint: run scripts/engine start
        ");
    }

    #[test]
    fn usage_and_failure_have_their_own_exit_codes() {
        let code = |trouble: Trouble| format!("{:?}", conclude(Err(trouble.into())));
        assert_eq!(code(Trouble::new("x")), format!("{:?}", ExitCode::from(1)));
        assert_eq!(code(Trouble::usage("x")), format!("{:?}", ExitCode::from(2)));
        assert_eq!(format!("{:?}", conclude(Err(Exit(3).into()))), format!("{:?}", ExitCode::from(3)));
    }
}
