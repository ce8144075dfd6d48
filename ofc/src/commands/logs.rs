//! `ofc logs`.

use anyhow::Context;
use clap::Args;
use futures_util::{StreamExt, pin_mut};
use sdk::gateway::LogLine;
use sdk::id::{FunctionName, Owner, ServiceName};

use crate::locate::Which;
use crate::report::Trouble;
use crate::terminal::{self, FAINT};

const EXAMPLES: &str = "\
Examples:
  ofc logs alice/hello
  ofc logs alice/hello -f --tail 10";

/// Show what a function writes
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Logs {
    /// Whose function it is, and its name; or its name at the gateway
    #[arg(value_name = "OWNER/FUNCTION")]
    function: String,
    /// Go on as lines come, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Only the last so many old lines
    #[arg(long, value_name = "LINES")]
    tail: Option<u32>,
    #[command(flatten)]
    which: Which,
}

impl Logs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let name = service(&self.function)?;
        let (data, record) = self.which.running()?;
        let gateway = super::gateway(&data, &record)?;
        super::block_on(async {
            if gateway.get(name.as_str()).await?.is_none() {
                return Err(Trouble::new(format!("there is no function {}", self.function))
                    .hint("see `ofc ls`")
                    .into());
            }
            let lines = gateway.logs(name.as_str(), self.tail, self.follow).await?;
            pin_mut!(lines);
            while let Some(line) = lines.next().await {
                terminal::print(&render(&line.context("the log broke off")?))?;
            }
            Ok(())
        })
    }
}

fn service(text: &str) -> anyhow::Result<ServiceName> {
    let parse = || match text.split_once('/') {
        Some((owner, function)) => ServiceName::of(&owner.parse::<Owner>()?, &function.parse::<FunctionName>()?),
        None => text.parse(),
    };
    parse().map_err(|cause| {
        Trouble::usage(format!("'{text}' names no function")).hint("write it as OWNER/FUNCTION").because(cause).into()
    })
}

fn render(line: &LogLine) -> String {
    let time = line.timestamp.format("%Y-%m-%d %H:%M:%S");
    format!("{FAINT}{time}{FAINT:#} {}\n", line.text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_a_function_work() {
        assert_eq!(service("Alice/hello").unwrap().as_str(), "alice-hello");
        assert_eq!(service("git-tar").unwrap().as_str(), "git-tar");
        assert!(crate::report::render(&service("a/b/c").unwrap_err()).contains("OWNER/FUNCTION"));
    }
}
