//! What is measured as a process of its own, because it is a service with a state: see `servers/`.

pub(crate) mod catalogue;
pub(crate) mod dashboard;
pub(crate) mod webhooks;

use std::process::ExitCode;

use clap::ValueEnum;

/// A server of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Server {
    /// The gateway with `github-event`.
    Gateway,
    /// A check of webhook signatures and nothing else.
    Verifier,
    /// The gateway with the dashboard and what it asks.
    Dashboard,
}

impl Server {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Verifier => "verifier",
            Self::Dashboard => "dashboard",
        }
    }

    /// Serves until it is killed.
    pub(crate) fn run(self) -> ExitCode {
        match self {
            Self::Gateway => webhooks::gateway(),
            Self::Verifier => webhooks::verifier(),
            Self::Dashboard => dashboard::dashboard(),
        }
    }
}
