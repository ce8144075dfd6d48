#![doc = include_str!("../README.md")]

mod burst;
mod child;
mod dashboard;
mod function;
mod gateway;
mod idle;
mod import;
mod nginx;
mod pipeline;
mod push;
mod report;
mod repository;
mod router;
mod seal;
mod secret;
mod servers;
mod stub;
mod webhooks;
mod wrk;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use crate::gateway::Rows;
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
    /// What a host that takes its time for each status adds to a push.
    Reporting,
    /// A stack of 50 functions of which none or one changed.
    Stack,
    /// A function on the Rust template against bare hyper and a process for each request.
    Function,
    /// The gateway in front of one container, beside nginx in front of the same.
    Gateway,
    /// Deployments and updates, beside `docker run`.
    Deploy,
    /// The first call of a function scaled to zero, beside `docker start`.
    Cold,
    /// 500 functions scaled to zero.
    Zero,
    /// Asynchronous calls on both stores, beside the stores alone.
    Async,
    /// Updates under load, beside removing and deploying anew.
    Rolling,
    /// Memory of the whole platform at rest.
    Idle,
    /// Webhooks taken, beside a mere signature check.
    Webhooks,
    /// 200 sealed secrets imported, beside as many that are simply posted.
    Import,
    /// A burst of pushes, from the webhook to the deployment.
    Burst,
    /// A thousand values sealed, beside Python's cryptography.
    Seal,
    /// The router with its check on every request, beside nginx without one and with `auth_request`.
    Router,
    /// A changed secret, from its push to the function that serves it, beside the same container run by hand.
    Secret,
    /// The page of a thousand functions, 500 live pages and the end of a log of 50 MB.
    Dashboard,
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

/// What fails to be measured is a row too, so that the others can still be seen.
fn measure(what: &[What]) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let runtime = tokio::runtime::Runtime::new()?;
    let interrupted = CancellationToken::new();
    let interrupt = interrupted.clone();
    runtime.spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupt.cancel();
        }
    });
    for one in What::value_variants().iter().filter(|one| what.is_empty() || what.contains(one)) {
        // Dropped, a measurement clears up behind itself.
        match runtime.block_on(interrupted.run_until_cancelled(one.measure(&mut report))) {
            Some(Ok(())) => {}
            Some(Err(error)) => report.add_failure(&format!("{one:?}").to_lowercase(), &error),
            None => anyhow::bail!("interrupted"),
        }
    }
    Ok(report)
}

impl What {
    async fn measure(self, report: &mut Report) -> anyhow::Result<()> {
        match self {
            Self::Push => push::measure_push(report).await,
            Self::Reporting => push::measure_reporting(report).await,
            Self::Stack => push::measure_stack(report).await,
            Self::Function => block_in_place(|| function::measure(report)),
            Self::Gateway => gateway::measure(Rows::Proxy, report).await,
            Self::Deploy => gateway::measure(Rows::Deploy, report).await,
            Self::Cold => gateway::measure(Rows::Cold, report).await,
            Self::Zero => gateway::measure(Rows::Zero, report).await,
            Self::Async => gateway::measure(Rows::Messages, report).await,
            Self::Rolling => gateway::measure(Rows::Rolling, report).await,
            Self::Import => import::measure(report).await,
            Self::Idle => block_in_place(|| idle::measure(report)),
            Self::Router => block_in_place(|| router::measure(report)),
            Self::Secret => block_in_place(|| secret::measure(report)),
            Self::Seal => block_in_place(|| seal::measure(report)),
            Self::Burst => burst::measure(report).await,
            Self::Dashboard => dashboard::measure(report).await,
            Self::Webhooks => block_in_place(|| webhooks::measure(report)),
        }
    }
}
