//! `ofc top`.

mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use of_git::plain;
use sdk::gateway::FunctionStatus;
use sdk::id::ServiceName;
use sdk::metrics::{Figures, MAX_FUNCTIONS, METRICS_FUNCTION, MetricsAnswer, MetricsRequest, Window};

use crate::inside::{Inside, owner_of, owners};
use crate::locate::Which;
use crate::terminal::print;

const EXAMPLES: &str = "\
Examples:
  ofc top                        Until Ctrl-C
  ofc top --once                 One look, for instance for a script

Figures are of the last minute, the busiest functions come first.";

/// So many points an hour: one a minute.
const POINTS: usize = 60;
/// Clears the terminal, and goes to its first line.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Show how functions do: calls, errors, latency, memory
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Top {
    /// Look once
    #[arg(long)]
    once: bool,
    /// How often to look
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=3600))]
    every: u16,
    #[command(flatten)]
    which: Which,
}

impl Top {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (data, record) = self.which.running()?;
        let inside = Inside::of(&data, &record)?;
        super::block_on(async {
            if self.once {
                return Ok(print(&look(&inside).await?)?);
            }
            loop {
                let text = look(&inside).await?;
                print(&format!("{CLEAR}{text}"))?;
                tokio::time::sleep(Duration::from_secs(self.every.into())).await;
            }
        })
    }
}

async fn look(inside: &Inside) -> anyhow::Result<String> {
    let functions: Vec<_> =
        inside.gateway.list().await?.into_iter().filter(|function| owner_of(function).is_some()).collect();
    let mut text = String::new();
    let figures = match figures(inside, &functions).await {
        Ok(figures) => figures,
        Err(error) => {
            // What the gateway says is better than nothing.
            text = format!("There are no figures: {}\n\n", plain::line(&error.to_string(), plain::WIDTH));
            BTreeMap::new()
        }
    };
    Ok(text + &table::render(&functions, &figures))
}

/// By name at the gateway: from when on something is known, in seconds since 1970, and what.
type Known = BTreeMap<String, (u64, Figures)>;

async fn figures(inside: &Inside, functions: &[FunctionStatus]) -> anyhow::Result<Known> {
    let mut all = BTreeMap::new();
    for owner_id in owners(functions).into_keys() {
        let theirs = functions.iter().filter(|one| owner_of(one).is_some_and(|(owner, _)| owner == owner_id));
        let names: Vec<ServiceName> = theirs.filter_map(|function| function.name.parse().ok()).collect();
        for functions in names.chunks(MAX_FUNCTIONS) {
            let functions = functions.to_vec();
            let request =
                MetricsRequest { owner_id: owner_id.clone(), functions, window: Window::Hour, points: POINTS };
            let answer: MetricsAnswer = inside.ask(METRICS_FUNCTION, &request).await?;
            all.extend(answer.functions.into_iter().map(|(name, figures)| (name, (answer.since, figures))));
        }
    }
    Ok(all)
}
