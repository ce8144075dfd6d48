#![doc = include_str!("../README.md")]

mod child;
mod function;
mod gateway;
mod idle;
mod nginx;
mod pipeline;
mod push;
mod report;
mod repository;
mod servers;
mod stub;
mod webhooks;
mod wrk;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::report::Report;

/// Measures the budgets of the design, each beside its peer.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// What to measure; everything where none is named.
    what: Vec<What>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A server that a benchmark starts as a process of its own.
    #[command(hide = true)]
    Serve {
        /// Which one.
        server: servers::Server,
    },
}

/// A benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// From a push to the last deployment, builder and gateway stubbed.
    Push,
    /// A stack of 50 functions of which none or one changed.
    Stack,
    /// A function on the Rust template against bare hyper and a process for each request.
    Function,
    /// The gateway in front of one container, beside nginx in front of the same.
    Gateway,
    /// Memory of the whole platform at rest.
    Idle,
    /// Webhooks taken, beside a mere signature check.
    Webhooks,
}

fn main() -> ExitCode {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let args = Args::parse();
    let result = match args.command {
        Some(Command::Serve { server }) => return server.run(),
        None => measure(&args.what),
    };
    match result {
        Ok(report) => {
            print!("{report}");
            if report.all_hold() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(what: &[What]) -> anyhow::Result<Report> {
    let wanted = |one| what.is_empty() || what.contains(&one);
    let mut report = Report::default();
    let runtime = tokio::runtime::Runtime::new()?;
    if wanted(What::Push) {
        runtime.block_on(push::measure_push(&mut report))?;
    }
    if wanted(What::Stack) {
        runtime.block_on(push::measure_stack(&mut report))?;
    }
    drop(runtime);
    if wanted(What::Function) {
        function::measure(&mut report)?;
    }
    if wanted(What::Gateway) {
        gateway::measure(&mut report)?;
    }
    if wanted(What::Idle) {
        idle::measure(&mut report)?;
    }
    if wanted(What::Webhooks) {
        webhooks::measure(&mut report)?;
    }
    Ok(report)
}
