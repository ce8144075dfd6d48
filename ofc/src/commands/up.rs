//! `ofc up`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use sdk::Env;
use sdk::id::Owner;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::data_dir::{DEFAULT, DataDir};
use crate::logging::{Format, Shown};
use crate::platform::{Options, Platform};
use crate::terminal::{Step, print};
use crate::{banner, file_handles, launch, locate, logging, removal};

pub(crate) const PORT: u16 = 8000;
pub(crate) const GATEWAY_PORT: u16 = 8080;
pub(super) const DOMAIN: &str = "localhost";

const EXAMPLES: &str = "\
Examples:
  ofc up                             Until Ctrl-C; functions stay and are back at the next start
  ofc up -d                          In the background; `ofc down` stops it
  ofc up --port 9000 --gateway-port 0
  ofc up --rm --data /tmp/try        Leave no container and no image behind";

/// Start the platform: gateway, builder, git host and router in this one process
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Up {
    /// The port at which functions are served and git is pushed to; 0 for a free one
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// The port of the gateway's REST API; 0 for a free one
    #[arg(long, default_value_t = GATEWAY_PORT)]
    gateway_port: u16,
    /// The port of the gateway's metrics for Prometheus; there are none without it
    #[arg(long, value_name = "PORT")]
    metrics_port: Option<u16>,
    /// The domain below which functions are served; its names must lead to this machine
    #[arg(long, default_value = DOMAIN)]
    domain: String,
    /// Where the platform keeps everything
    #[arg(long, value_name = "DIR", env = "OFC_DATA", hide_env_values = true, default_value = DEFAULT)]
    data: PathBuf,
    /// Whose name the first lines use, and who is the operator of a new platform [default: yours]
    #[arg(long, value_name = "NAME")]
    owner: Option<Owner>,
    /// Remove the functions' containers, network and images at the end
    #[arg(long)]
    rm: bool,
    /// Run in the background
    #[arg(short, long)]
    detach: bool,
    /// Do not become the platform that commands find from any folder
    #[arg(long, hide = true)]
    unlisted: bool,
    /// How log lines are written: text or json
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT", hide_possible_values = true)]
    log_format: Format,
    /// Show every log line here, not only what happens to pushes
    #[arg(short, long)]
    verbose: bool,
    /// Show nothing but the first lines
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
}

impl Up {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let data = DataDir::create(&self.data)?;
        if self.detach { self.in_background(&data) } else { self.here(data) }
    }

    fn owner(&self) -> Owner {
        let user = || banner::example_owner(Env::from_process().var("USER"));
        self.owner.clone().unwrap_or_else(user)
    }

    fn in_background(self, data: &DataDir) -> anyhow::Result<()> {
        let started = Instant::now();
        let step = Step::begin("Starting the platform");
        let record = super::block_on(launch::start(data, &self.arguments()))?;
        drop(step);
        print(&banner::render(&record, data, &self.owner(), started.elapsed())?)?;
        Ok(print("Stop it with `ofc down`.\n")?)
    }

    fn arguments(&self) -> Vec<OsString> {
        let format = if self.log_format == Format::Json { "json" } else { "text" };
        let mut arguments: Vec<OsString> =
            ["--port", &self.port.to_string(), "--gateway-port", &self.gateway_port.to_string()]
                .into_iter()
                .chain(["--domain", &self.domain, "--log-format", format, "--owner", self.owner().as_str()])
                .map(OsString::from)
                .collect();
        if let Some(port) = self.metrics_port {
            arguments.extend(["--metrics-port".into(), port.to_string().into()]);
        }
        arguments.extend(self.rm.then(|| "--rm".into()));
        arguments
    }

    fn here(self, data: DataDir) -> anyhow::Result<()> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let shown = match (self.verbose, self.quiet) {
            (true, _) => Shown::Everything,
            (_, true) => Shown::Nothing,
            _ => Shown::Activity,
        };
        logging::start(&data.log(), self.log_format, shown)?;
        file_handles::raise();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
        let ended = runtime.block_on(self.serve(data));
        // Work that did not drain in time must not hold the process.
        runtime.shutdown_background();
        ended
    }

    async fn serve(self, data: DataDir) -> anyhow::Result<()> {
        let started = Instant::now();
        let stop = stop_on_signals()?;
        let options = Options {
            data: data.clone(),
            domain: self.domain.clone(),
            owner: self.owner(),
            port: self.port,
            gateway_port: self.gateway_port,
            metrics_port: self.metrics_port,
        };
        let mut platform = Platform::start(options).await?;
        let env = Env::from_process();
        if !self.unlisted {
            locate::remember(&env, &data);
        }
        print(&banner::render(platform.record(), &data, &self.owner(), started.elapsed())?)?;
        tracing::info!(data = %data.root().display(), router = %platform.record().router, "The platform is up");
        let ended = platform.run(stop).await;
        locate::forget(&env, &data);
        if self.rm {
            removal::remove(&data).await?;
        }
        tracing::info!("The platform is down");
        ended
    }
}

/// Cancelled by the first SIGTERM or Ctrl-C; the second ends the process at once. A terminal that closes is no
/// reason to stop.
fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let (mut term, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let mut hangup = listen(SignalKind::hangup())?;
    tokio::spawn(async move {
        let mut count = 0;
        loop {
            tokio::select! {
                _ = term.recv() => count += 1,
                _ = interrupt.recv() => count += 1,
                _ = hangup.recv() => continue,
            }
            if count > 1 {
                std::process::exit(130);
            }
            let _ = print("Stopping (again to stop at once)\n");
            asked.cancel();
        }
    });
    Ok(stop)
}
