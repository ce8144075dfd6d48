//! `ofc` as the tests run it: the same entry, built with them.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    ofc::report::conclude(ofc::Cli::parse().run())
}
