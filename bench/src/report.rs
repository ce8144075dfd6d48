//! The table of what was measured.

use std::fmt;

/// More of an error would tear the table apart.
const LONGEST_CELL: usize = 60;

/// Rows in the order in which they were measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

/// One figure beside its budget.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// Our figure, with its unit.
    pub(crate) ours: String,
    /// The peer and its figure; empty where the budget is absolute.
    pub(crate) peer: String,
    /// Ours by the peer's; empty where the budget is absolute.
    pub(crate) ratio: String,
    /// What must be reached.
    pub(crate) budget: String,
    /// Whether it is.
    pub(crate) holds: bool,
}

impl Report {
    /// Adds a row and shows it at once.
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("   {} — {} ({})", row.what, row.ours, if row.holds { "holds" } else { "MISSED" });
        self.rows.push(row);
    }

    /// Adds a row for what could not be measured.
    pub(crate) fn add_failure(&mut self, what: &str, error: &anyhow::Error) {
        eprintln!("   {what} was not measured: {error:#}");
        let line: String = format!("{error:#}").lines().next().unwrap_or_default().chars().take(LONGEST_CELL).collect();
        self.rows.push(Row {
            what: what.to_owned(),
            ours: format!("not measured: {line}"),
            peer: String::new(),
            ratio: String::new(),
            budget: String::new(),
            holds: false,
        });
    }

    /// True if every budget holds.
    pub(crate) fn all_hold(&self) -> bool {
        self.rows.iter().all(|row| row.holds)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["what", "ours", "peer", "ratio", "budget", ""].map(str::to_owned);
        let rows = self.rows.iter().map(|row| {
            let verdict = if row.holds { "ok" } else { "MISSED" }.to_owned();
            [row.what.clone(), row.ours.clone(), row.peer.clone(), row.ratio.clone(), row.budget.clone(), verdict]
        });
        let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: Vec<_> = (0..6).map(width).collect();
        for row in &rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// The middle value.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
