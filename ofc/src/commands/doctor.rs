//! `ofc doctor`.

use std::path::PathBuf;

use clap::Args;

use crate::doctor::{self, Plan};
use crate::locate::Which;
use crate::report::Trouble;

const EXAMPLES: &str = "\
Examples:
  ofc doctor
  ofc doctor --port 9000 --gateway-port 9080";

/// Look whether this machine is ready; exit code 1 if it is not
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Doctor {
    /// The port at which functions would be served
    #[arg(long, default_value_t = super::up::PORT)]
    port: u16,
    /// The port of the gateway's REST API
    #[arg(long, default_value_t = super::up::GATEWAY_PORT)]
    gateway_port: u16,
    /// The domain below which functions would be served
    #[arg(long, default_value = super::up::DOMAIN)]
    domain: String,
    #[command(flatten)]
    which: Which,
}

impl Doctor {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let localhost = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let fresh = || PathBuf::from(crate::data_dir::DEFAULT);
        let plan = Plan {
            data: self
                .which
                .data()
                .map_or_else(|_| self.which.data.clone().unwrap_or_else(fresh), |data| data.root().to_owned()),
            domain: self.domain,
            ports: vec![(localhost(self.port), "--port"), (localhost(self.gateway_port), "--gateway-port")],
        };
        let findings = super::block_on(async { Ok(doctor::examine(&plan).await) })?;
        crate::terminal::print(&doctor::render(&findings))?;
        if doctor::is_hopeless(&findings) {
            return Err(Trouble::new("this machine is not ready").into());
        }
        Ok(())
    }
}
