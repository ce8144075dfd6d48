//! The dashboard behind the real gateway, with what it asks: a page, many live pages, and a long log.

mod log;
mod page;
mod place;
mod streams;

use anyhow::{Context as _, Result};

use crate::report::Report;

/// Measures what people see. Each of the three has a platform of its own, which has done nothing before.
pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    let page = page::measure(report).await.context("the page");
    let streams = streams::measure(report).await.context("the live pages");
    let log = log::measure(report).await.context("the log");
    page.and(streams).and(log)
}
