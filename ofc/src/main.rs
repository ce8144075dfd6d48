//! The command line of OpenFaaS Cloud.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    ofc::report::conclude(ofc::Cli::parse().run())
}
