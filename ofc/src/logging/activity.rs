//! What happens to pushes, one line each, for whoever watches `ofc up`.
//!
//! Shown is every status that a pusher gets too, every other event that names an owner, and everything that
//! went wrong. The log file has the rest; so has the audit trail, which says much of this a second time.

use std::fmt::{self, Write as _};

use sdk::status::STACK_CONTEXT;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::terminal::{ERROR, FAINT, GOOD, STRONG, WARNING, print};

/// The target of the audit trail's events.
const AUDIT: &str = "audit";
/// Longer lines are cut, in characters.
const MAX_LINE: usize = 400;

#[derive(Debug, Default)]
pub(super) struct Activity;

impl<S: Subscriber> Layer<S> for Activity {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if *event.metadata().level() > Level::INFO || event.metadata().target() == AUDIT {
            return;
        }
        let mut words = Words::default();
        event.record(&mut words);
        if let Some(line) = words.line(*event.metadata().level()) {
            let time = chrono::Local::now().format("%H:%M:%S");
            let _ = print(&format!("{FAINT}{time}{FAINT:#}  {line}\n"));
        }
    }
}

#[derive(Debug, Default)]
struct Words {
    message: String,
    /// What a status says; its event's message is the same for all of them.
    title: String,
    state: String,
    owner: String,
    repo: String,
    sha: String,
    function: String,
    cause: String,
}

impl Words {
    fn line(&self, level: Level) -> Option<String> {
        let about_a_push = !self.owner.is_empty();
        if !about_a_push && level > Level::WARN {
            return None;
        }
        let mut line = String::new();
        if about_a_push {
            let _ = write!(line, "{STRONG}{}", self.owner);
            let function = if self.function == STACK_CONTEXT { "" } else { &self.function };
            for (mark, word) in
                [("/", self.repo.as_str()), (" ", self.sha.get(..7).unwrap_or_default()), (" ", function)]
            {
                if !word.is_empty() {
                    let _ = write!(line, "{mark}{word}");
                }
            }
            let _ = write!(line, "{STRONG:#}  ");
        }
        let style = match (level, self.state.as_str()) {
            (Level::ERROR, _) | (_, "Failure") => ERROR,
            (Level::WARN, _) => WARNING,
            (_, "Success") => GOOD,
            _ => anstyle::Style::new(),
        };
        let words = if self.title.is_empty() { &self.message } else { &self.title };
        let _ = write!(line, "{style}{}{style:#}", tidy(words));
        if !self.cause.is_empty() {
            let _ = write!(line, " {FAINT}({}){FAINT:#}", tidy(&self.cause));
        }
        Some(line)
    }

    fn place(&mut self, name: &str) -> Option<&mut String> {
        Some(match name {
            "message" => &mut self.message,
            "owner" => &mut self.owner,
            "repo" => &mut self.repo,
            "sha" => &mut self.sha,
            "function" | "context" => &mut self.function,
            "title" => &mut self.title,
            "state" => &mut self.state,
            "cause" | "error" => &mut self.cause,
            _ => return None,
        })
    }
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(place) = self.place(field.name()) {
            value.clone_into(place);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if let Some(place) = self.place(field.name()) {
            *place = format!("{value:?}");
        }
    }
}

/// One line, whatever a tenant wrote: no line breaks, no control sequences of a terminal.
fn tidy(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(words: &Words, level: Level) -> Option<String> {
        words.line(level).map(|line| anstream::adapter::strip_str(&line).to_string())
    }

    #[test]
    fn pushes_and_failures_show_and_the_rest_does_not() {
        let mut words = Words { message: "Queue opened".into(), ..Words::default() };
        assert_eq!(plain(&words, Level::INFO), None);
        assert_eq!(plain(&words, Level::WARN).unwrap(), "Queue opened");
        words.owner = "alice".into();
        words.repo = "hello".into();
        words.sha = "0123456789".into();
        assert_eq!(plain(&words, Level::INFO).unwrap(), "alice/hello 0123456  Queue opened");
        words.function = "greet".into();
        words.title = "live".into();
        assert_eq!(plain(&words, Level::INFO).unwrap(), "alice/hello 0123456 greet  live");
    }

    #[test]
    fn a_tenants_words_cannot_steer_the_terminal() {
        let message = "a\u{1b}[2Jb\nc".into();
        let words = Words { message, owner: "alice".into(), cause: "d\re".into(), ..Words::default() };
        assert_eq!(plain(&words, Level::INFO).unwrap(), "alice  a [2Jb c (d e)");
    }
}
