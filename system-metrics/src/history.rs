//! Figures from the gateway's own history.

use sdk::failure::Failure;
use sdk::gateway::Gateway;
use sdk::id::ServiceName;
use sdk::metrics::{MAX_HISTORY_NAMES, MetricsAnswer, Source, Window};

use crate::owned::Owned;

/// Asks for all these functions, in parts.
pub(crate) async fn ask(
    gateway: &Gateway,
    functions: &[Owned],
    window: Window,
    points: usize,
    now: u64,
) -> Result<MetricsAnswer, Failure> {
    let figures = functions.iter().map(|function| (function.name.to_string(), function.no_figures())).collect();
    let since = now.saturating_sub(window.seconds());
    let mut whole = MetricsAnswer { source: Source::Gateway, since, until: now, functions: figures };
    for part in functions.chunks(MAX_HISTORY_NAMES) {
        let names: Vec<ServiceName> = part.iter().map(|function| function.name.clone()).collect();
        let answer = gateway.history(&names, window, points).await.map_err(|error| {
            Failure::upstream("neither Prometheus nor the gateway says how functions did").because(error)
        })?;
        whole.since = whole.since.max(answer.since);
        for (name, figures) in answer.functions {
            // What was not asked for is not taken.
            whole.functions.entry(name).and_modify(|known| *known = figures);
        }
    }
    Ok(whole)
}
