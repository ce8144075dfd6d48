//! Where log lines go: all of them to a file that is rotated, and to the terminal either all (`-v`) or the
//! few that tell what happens to a push.

mod activity;
mod rotation;

use std::path::Path;
use std::sync::Mutex;

use anyhow::Context;
use clap::ValueEnum;
use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use activity::Activity;
use rotation::RotatingFile;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What the terminal shows of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Every line.
    Everything,
    /// What happens to pushes, and what goes wrong.
    Activity,
    /// Nothing.
    Nothing,
}

/// Sends log lines to `file`, and what is to be shown to the terminal.
///
/// # Errors
/// When the file cannot be written, or logging was set up already.
pub fn start(file: &Path, format: Format, shown: Shown) -> anyhow::Result<()> {
    let file = RotatingFile::open(file).with_context(|| format!("cannot write the log {}", file.display()))?;
    let filter = || {
        EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).with_env_var("OFC_LOG").from_env_lossy()
    };
    let terminal = match shown {
        Shown::Everything => Some(lines(anstream_stderr, format).with_filter(filter()).boxed()),
        Shown::Activity => Some(Activity.boxed()),
        Shown::Nothing => None,
    };
    let file = lines(Mutex::new(file), format).with_filter(filter());
    tracing_subscriber::registry().with(file).with(terminal).try_init().context("logging runs already")
}

fn anstream_stderr() -> impl std::io::Write {
    anstream::stderr()
}

fn lines<S, W>(writer: W, format: Format) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    match format {
        Format::Text => fmt::layer().with_writer(writer).with_ansi(false).boxed(),
        Format::Json => fmt::layer().json().flatten_event(true).with_writer(writer).boxed(),
    }
}
