//! What the function and the runtime log: JSON lines in a container, text in a terminal, on standard error.
//!
//! Unlike the access log these are written at once: the last line before a crash is the one that matters.

use std::io::{self, IsTerminal};

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::env::{Env, Invalid, Reader};

/// Starts logging at the level of `RUST_LOG` (`info` where it is unset or wrong, so that there is a log to
/// say so in).
pub(crate) fn start(env: &Env, reader: &Reader<'_>) -> Result<(), Invalid> {
    let asked = levels(env.var("RUST_LOG"), reader);
    let levels = asked
        .clone()
        .unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    let lines = if io::stderr().is_terminal() {
        fmt::layer().with_writer(io::stderr).boxed()
    } else {
        fmt::layer()
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_writer(io::stderr)
            .boxed()
    };
    // Fails where the caller logs in its own way already; then that stands.
    let _ = Registry::default().with(lines.with_filter(levels)).try_init();
    asked.map(|_| ())
}

fn levels(text: Option<&str>, reader: &Reader<'_>) -> Result<Targets, Invalid> {
    let Some(text) = text else {
        return Ok(Targets::new().with_default(Level::INFO));
    };
    text.parse()
        .map_err(|error| reader.invalid("RUST_LOG", format!("'{text}' is not a list of levels: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_or_named_as_wrong() {
        let env = Env::from_map([("a", "b")], [] as [(&str, &str); 0]);
        let reader = env.reader();
        assert!(levels(None, &reader).unwrap().would_enable("function", &Level::INFO));
        assert!(
            !levels(Some("warn"), &reader)
                .unwrap()
                .would_enable("function", &Level::INFO)
        );
        assert!(
            levels(Some("function=debug"), &reader)
                .unwrap()
                .would_enable("function", &Level::DEBUG)
        );
        assert!(reader.finish().is_ok());
        assert!(levels(Some("function=loud"), &reader).is_err());
        assert_eq!(reader.finish().unwrap_err().problems()[0].name, "RUST_LOG");
    }
}
