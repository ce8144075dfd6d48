//! `ofc password`.

use clap::Args;

use crate::locate::Which;
use crate::secrets::GATEWAY_PASSWORD;

/// Say how faas-cli logs in to the gateway; the password itself stays in its file
#[derive(Debug, Args)]
pub struct Password {
    #[command(flatten)]
    which: Which,
}

impl Password {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (data, record) = self.which.running()?;
        let path = record.secrets(&data).path(GATEWAY_PASSWORD);
        let (path, gateway) = (path.display(), record.gateway_url());
        let text =
            format!("export OPENFAAS_URL={gateway}\ncat '{path}' | faas-cli login --username admin --password-stdin\n");
        Ok(crate::terminal::print(&text)?)
    }
}
