//! `ofc init`.

use std::path::PathBuf;

use clap::Args;

use crate::config_file::{ConfigFile, NAME, Target};
use crate::doctor::{Finding, is_hopeless, lines};
use crate::init::answers::Given;
use crate::init::ask::Ask;
use crate::init::{self, Options, checks};
use crate::report::{Exit, Trouble};
use crate::terminal::{STRONG, Step, print};

const EXAMPLES: &str = "\
Examples:
  ofc init                           Ask a few questions, and set up what they need
  ofc init                           Again: make what is missing, and change nothing else
  ofc init --from init.yaml          Take over the plan of an ofc-bootstrap installation
  ofc init --config staging.yml --target systemd
  ofc init --check                   Look whether registry, DNS, bucket, tenants and GitHub are as they should be
  ofc init --yes                     For this machine alone, without a question

Nothing that is there is replaced, and no secret is shown. docs/init.md describes ofc.yml.";

/// Set up an installation: its configuration, keys and secrets, its GitHub App, and the systemd unit or the Kubernetes
/// manifests that it is started from
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Init {
    /// The configuration; it is made if it is not there
    #[arg(long, value_name = "FILE", env = "OFC_CONFIG", hide_env_values = true, default_value = NAME)]
    config: PathBuf,
    /// A plan file of ofc-bootstrap to make it from; of several, later ones go before earlier ones
    #[arg(long, value_name = "INIT.YAML", conflicts_with = "check")]
    from: Vec<PathBuf>,
    /// Ask nothing, and take what is usual
    #[arg(short, long)]
    yes: bool,
    /// The domain below which functions are served
    #[arg(long, conflicts_with_all = ["check", "from"])]
    domain: Option<String>,
    /// What it runs as: up, systemd or kubernetes
    #[arg(long, value_parser = target)]
    target: Option<Target>,
    /// Where the unit or the manifests go [default: beside the configuration, or its data directory]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// The port of the page from which a GitHub App is made, for a browser that comes through a tunnel; 0 for a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    app_port: u16,
    /// Only look whether all that the configuration names is there
    #[arg(long)]
    check: bool,
    /// Do not look
    #[arg(long, conflicts_with = "check")]
    no_checks: bool,
}

fn target(text: &str) -> Result<Target, String> {
    let found = Target::WORDS.iter().find(|(word, _)| *word == text).map(|(_, target)| *target);
    found.ok_or_else(|| "it has to be up, systemd or kubernetes".to_owned())
}

impl Init {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let config = if self.check { ConfigFile::load(&self.config)? } else { self.set_up()? };
        if self.no_checks {
            return Ok(());
        }
        conclude(&super::block_on(async { Ok(checks::examine(&config).await) })?)
    }

    fn set_up(&self) -> anyhow::Result<ConfigFile> {
        let mut ask = Ask::terminal(self.yes);
        let anything = self.yes || self.config.exists() || !self.from.is_empty() || self.domain.is_some();
        if !anything && !ask.is_person() {
            return Err(Trouble::usage(format!("there is no {}, and nobody to ask", self.config.display()))
                .hint("write it (docs/init.md), name a plan file with --from, or say --yes for this machine alone")
                .into());
        }
        let options = Options {
            path: self.config.clone(),
            from: self.from.clone(),
            given: Given { domain: self.domain.clone(), target: self.target },
            output: self.output.clone(),
            app_port: self.app_port,
        };
        let mut step = None;
        let mut show = |start: &str| {
            print(&format!(
                "Open this in a browser on this machine, and confirm the App at GitHub:\n\n    {STRONG}{start}{STRONG:#}\n\n"
            ))?;
            step = Some(Step::begin("Waiting for GitHub (Ctrl-C to give up)"));
            Ok(())
        };
        let done = super::block_on(init::run(&options, &mut ask, &mut show));
        drop(step);
        let done = done?;
        print(&done.text)?;
        Ok(done.config)
    }
}

/// What was made stays made, whatever is found.
fn conclude(findings: &[Finding]) -> anyhow::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    print(&format!("\n{}", lines(findings)))?;
    if is_hopeless(findings) {
        print("\nAll that was made is kept. Mend the above, and look again: ofc init --check\n")?;
        return Err(Exit(1).into());
    }
    Ok(())
}
