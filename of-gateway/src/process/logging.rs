//! Where log lines go, and how: JSON in a container or under a supervisor, text in a terminal.

use std::io::IsTerminal as _;
use std::str::FromStr;

use openfaas_runtime::{Env, Invalid, Reader};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use super::lines;

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    format: Format,
    levels: Targets,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("it must be text or json"),
        }
    }
}

impl Settings {
    pub(crate) fn read(env: &Env, reader: &Reader<'_>) -> Result<Self, Invalid> {
        let usual = if std::io::stderr().is_terminal() { Format::Text } else { Format::Json };
        let format = reader.or("log_format", usual);
        let levels = match env.var("RUST_LOG").map(str::parse::<Targets>) {
            None => Ok(Targets::new().with_default(Level::INFO)),
            Some(Ok(levels)) => Ok(levels),
            Some(Err(error)) => Err(reader.invalid("RUST_LOG", format!("is not a list of levels: {error}"))),
        };
        Ok(Self { format: format?, levels: levels? })
    }

    pub(crate) fn start(&self) {
        let layer = fmt::layer().with_writer(std::io::stderr);
        let layer = match self.format {
            Format::Text => layer.fmt_fields(lines::fields()).boxed(),
            Format::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
        };
        // Fails where logging was started before; then that stands.
        let _ = Registry::default().with(layer.with_filter(self.levels.clone())).try_init();
    }
}
