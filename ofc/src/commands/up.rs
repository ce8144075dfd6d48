//! `ofc up`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use sdk::Env;
use sdk::id::Owner;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config_file::{ConfigFile, Listen, Registry, Target, Tls};
use crate::data_dir::{DEFAULT, DataDir};
use crate::logging::{Format, Shown};
use crate::platform::{self, Addresses, Options, Platform, Stage};
use crate::report::Trouble;
use crate::terminal::{Step, print};
use crate::{banner, config_file, file_handles, launch, locate, logging, removal};

pub(crate) const PORT: u16 = 8000;
pub(crate) const GATEWAY_PORT: u16 = 8080;
pub(super) const DOMAIN: &str = "localhost";

const EXAMPLES: &str = "\
Examples:
  ofc up                             Until Ctrl-C; functions stay and are back at the next start
  ofc up -d                          In the background; `ofc down` stops it
  ofc up --port 9000 --gateway-port 0
  ofc up --rm --data /tmp/try        Leave no container and no image behind
  ofc up --config ofc.yml            As `ofc init` has written it down: domain, GitHub or GitLab, TLS, registry";

/// Start the platform: gateway, builder, git host and router in this one process
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Up {
    /// The configuration that `ofc init` makes; options here go before it
    #[arg(long, value_name = "FILE", env = "OFC_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// The port at which functions are served and git is pushed to; 0 for a free one [default: 8000]
    #[arg(long)]
    port: Option<u16>,
    /// The port of the same with encryption, if the configuration asks for that; 0 for a free one
    #[arg(long, value_name = "PORT")]
    https_port: Option<u16>,
    /// The port of the gateway's REST API; 0 for a free one [default: 8080]
    #[arg(long)]
    gateway_port: Option<u16>,
    /// The port of the gateway's metrics for Prometheus; there are none without it
    #[arg(long, value_name = "PORT")]
    metrics_port: Option<u16>,
    /// The domain below which functions are served; its names must lead to this machine [default: localhost]
    #[arg(long, conflicts_with = "config")]
    domain: Option<String>,
    /// Where the platform keeps everything [default: .ofc]
    #[arg(long, value_name = "DIR", env = "OFC_DATA", hide_env_values = true)]
    data: Option<PathBuf>,
    /// A folder with secrets that go before those of the data directory, such as systemd's credentials
    #[arg(long, value_name = "DIR")]
    secrets: Option<PathBuf>,
    /// The branch that is deployed: this stage's [default: each repository's default branch]
    #[arg(long, value_name = "NAME", value_parser = branch)]
    build_branch: Option<String>,
    /// Push images to a registry, such as ghcr.io/acme/, which several stages may share; without it they stay in the engine
    #[arg(long, value_name = "PREFIX")]
    registry: Option<Registry>,
    /// The registry's credentials, a file like Docker's config.json
    #[arg(long, value_name = "FILE", requires = "registry")]
    registry_credentials: Option<PathBuf>,
    /// How long secrets are sealed to one key, in days; 0 for ever [default: 30]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=3650))]
    sealing_key_days: Option<u32>,
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
        let config = self.config.as_deref().map(ConfigFile::load).transpose()?;
        if let Some(config) = config.as_ref().filter(|config| config.target == Target::Kubernetes) {
            let sentence = format!("the configuration in {} is for a cluster", config.folder.display());
            return Err(Trouble::usage(sentence)
                .hint("docs/init.md says how to apply what `ofc init` has written")
                .into());
        }
        let usual = || config.as_ref().map_or_else(|| PathBuf::from(DEFAULT), ConfigFile::data);
        let data = DataDir::create(&self.data.clone().unwrap_or_else(usual))?;
        if self.detach { self.in_background(&data) } else { self.here(data, config) }
    }

    /// Options go before the file, and the file before what is usual.
    fn addresses(&self, config: Option<&ConfigFile>) -> Addresses {
        let listen = config.map_or_else(|| Listen::usual(&Tls::Off), |config| config.listen);
        let encrypted = config.is_some_and(|config| config.tls.is_ours());
        let at = |address: SocketAddr, port: Option<u16>| SocketAddr::new(address.ip(), port.unwrap_or(address.port()));
        Addresses {
            http: at(listen.http, self.port),
            https: encrypted.then(|| at(listen.https, self.https_port)),
            gateway: self.gateway_port.unwrap_or(listen.gateway),
            metrics: self.metrics_port.or(listen.metrics),
        }
    }

    /// A service gets its secrets from systemd, or, started by hand, from where systemd would have them.
    fn given_secrets(&self, config: Option<&ConfigFile>) -> Option<PathBuf> {
        let kept = || config.filter(|config| config.target == Target::Systemd).map(ConfigFile::secrets);
        self.secrets.clone().or_else(kept)
    }

    fn domain(&self) -> String {
        self.domain.clone().unwrap_or_else(|| DOMAIN.to_owned())
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
        let owner = self.owner();
        let mut arguments: Vec<OsString> =
            ["--log-format", format, "--owner", owner.as_str()].into_iter().map(OsString::from).collect();
        let ports = [
            ("--port", self.port),
            ("--https-port", self.https_port),
            ("--gateway-port", self.gateway_port),
            ("--metrics-port", self.metrics_port),
        ];
        for (option, port) in ports {
            arguments.extend(port.iter().flat_map(|port| [option.into(), port.to_string().into()]));
        }
        arguments.extend(self.domain.iter().flat_map(|domain| ["--domain".into(), domain.into()]));
        for (option, path) in [("--config", &self.config), ("--secrets", &self.secrets)] {
            arguments.extend(path.iter().flat_map(|path| [option.into(), path.into()]));
        }
        let registry = self.registry.as_ref().map(|registry| registry.prefix.clone());
        let days = self.sealing_key_days.map(|days| days.to_string());
        let options =
            [("--build-branch", self.build_branch.clone()), ("--registry", registry), ("--sealing-key-days", days)];
        for (option, value) in options {
            arguments.extend(value.iter().flat_map(|value| [option.into(), value.into()]));
        }
        let credentials = self.registry_credentials.as_ref();
        arguments.extend(credentials.iter().flat_map(|path| ["--registry-credentials".into(), path.into()]));
        arguments.extend(self.rm.then(|| "--rm".into()));
        arguments
    }

    fn here(self, data: DataDir, config: Option<ConfigFile>) -> anyhow::Result<()> {
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
        let ended = runtime.block_on(self.serve(data, config));
        // Work that did not drain in time must not hold the process.
        runtime.shutdown_background();
        ended
    }

    async fn serve(self, data: DataDir, config: Option<ConfigFile>) -> anyhow::Result<()> {
        let started = Instant::now();
        let stop = stop_on_signals()?;
        let registry = platform::registry(self.registry.clone(), self.registry_credentials.clone())?;
        let stage = Stage::new(self.build_branch.clone(), registry, self.sealing_key_days, config.as_ref());
        let options = Options {
            data: data.clone(),
            stage,
            domain: config.as_ref().map_or_else(|| self.domain(), |config| config.domain.to_string()),
            owner: self.owner(),
            addresses: self.addresses(config.as_ref()),
            given_secrets: self.given_secrets(config.as_ref()),
            config,
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

/// A branch by git's rules, as far as they matter in a comparison.
fn branch(text: &str) -> Result<String, String> {
    if config_file::is_branch(text) { Ok(text.to_owned()) } else { Err("it is no name of one branch".to_owned()) }
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
