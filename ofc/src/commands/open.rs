//! `ofc open`.

use std::process::{Command, Stdio};

use clap::Args;

use super::logs::service;
use super::ls::place;
use crate::locate::Which;
use crate::report::Trouble;
use crate::terminal::print;

const EXAMPLES: &str = "\
Examples:
  ofc open                       The dashboard
  ofc open alice/hello           The function
  curl $(ofc open alice/hello --print)";

/// The programs that open an address, the first one that is there.
const OPENERS: [&str; 2] = ["xdg-open", "open"];

/// Open the dashboard, or a function, in a browser
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Open {
    /// Whose function it is, and its name; or its name at the gateway [default: the dashboard]
    #[arg(value_name = "OWNER/FUNCTION")]
    function: Option<String>,
    /// Print the address, and open nothing
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    which: Which,
}

impl Open {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let name = self.function.as_deref().map(service).transpose()?;
        let (data, record) = self.which.running()?;
        let url = match name {
            None => format!("{}/dashboard/", record.url("system")),
            Some(name) => {
                let gateway = super::gateway(&data, &record)?;
                let function = super::block_on(async { Ok(gateway.get(name.as_str()).await?) })?;
                let function = function
                    .ok_or_else(|| Trouble::new(format!("there is no function {name}")).hint("see `ofc ls`"))?;
                place(&function, &record).1
            }
        };
        print(&format!("{url}\n"))?;
        if !self.print {
            open(&url, &OPENERS)?;
        }
        Ok(())
    }
}

fn open(url: &str, openers: &[&str]) -> anyhow::Result<()> {
    for opener in openers {
        let command = Command::new(opener).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).status();
        match command {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => return Err(unopened().because(std::io::Error::other(format!("{opener}: {status}"))).into()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(unopened().because(error).into()),
        }
    }
    Err(unopened().into())
}

fn unopened() -> Trouble {
    Trouble::new("no browser could be opened").hint("open the address above yourself; --print only prints it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_opener_that_is_there_is_used_and_its_failure_is_told() {
        assert!(open("http://localhost", &["no-such-opener", "true"]).is_ok());
        for openers in [&["no-such-opener"][..], &["false", "true"], &[]] {
            let text = crate::report::render(&open("http://localhost", openers).unwrap_err());
            assert!(text.contains("--print"), "{text}");
        }
    }
}
