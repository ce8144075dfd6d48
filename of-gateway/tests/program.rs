//! The program: its signals, its sockets and its settings. No engine is needed.

#[path = "program/reload.rs"]
mod reload;
#[path = "program/restart.rs"]
mod restart;
#[path = "program/settings.rs"]
mod settings;
#[path = "program/sockets.rs"]
mod sockets;
mod support;

use std::path::Path;

use support::program::Start;

/// An engine that is not there.
fn no_engine(dir: &Path) -> String {
    format!("unix://{}/no-engine.sock", dir.display())
}

fn without_engine(dir: &Path) -> Start {
    Start::new(dir, &no_engine(dir))
}
