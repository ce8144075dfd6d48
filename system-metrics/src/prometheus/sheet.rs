//! The answer while it is filled in. Rows of functions that were not asked for fall away.

use std::collections::BTreeMap;

use sdk::metrics::{Figures, Latency, MetricsAnswer, Point, Source};

use super::query::{Curve, Share, Sum};
use super::reply::Row;
use super::span::Span;
use crate::owned::Owned;

pub(super) struct Sheet<'a> {
    span: &'a Span,
    /// By the name that Prometheus has: the function's own, and how it did.
    functions: BTreeMap<String, (&'a str, Figures)>,
}

impl<'a> Sheet<'a> {
    /// One that says that nothing was called.
    pub(super) fn new(functions: &'a [Owned], span: &'a Span) -> Self {
        let points = (0..span.points).map(|point| Point { at: span.at(point), ..Point::default() });
        let series: Vec<_> = points.collect();
        let none = |function: &'a Owned| {
            let figures = Figures { series: series.clone(), ..function.no_figures() };
            (function.full_name(), (function.name.as_str(), figures))
        };
        Self { span, functions: functions.iter().map(none).collect() }
    }

    pub(super) fn put(&mut self, sum: Sum, rows: &[Row]) {
        for row in rows {
            let (Some((_, figures)), Some((_, value))) =
                (self.functions.get_mut(&row.function), row.values.first().copied())
            else {
                continue;
            };
            match (sum, row.code) {
                // What was not called in the window has a row of zero all the same.
                (Sum::Codes, Some(code)) if value > 0.0 => drop(figures.codes.insert(code, value)),
                (Sum::Codes, _) => {}
                (Sum::Latency(share), _) => set(&mut figures.latency, share, value),
            }
        }
    }

    pub(super) fn draw(&mut self, curve: Curve, rows: &[Row]) {
        for row in rows {
            let Some((_, figures)) = self.functions.get_mut(&row.function) else { continue };
            for (at, value) in &row.values {
                let point = self.span.point(*at).and_then(|point| figures.series.get_mut(point));
                let Some(point) = point else { continue };
                match curve {
                    Curve::Success => point.success = *value,
                    Curve::Failure => point.failure = *value,
                    Curve::Latency(share) => set(&mut point.latency, share, *value),
                    Curve::Replicas => point.replicas = Some(*value),
                    Curve::Memory => point.memory = Some(*value),
                    Curve::Cpu => point.cpu = Some(*value),
                }
            }
        }
    }

    pub(super) fn finish(self) -> MetricsAnswer {
        let until = self.span.until;
        let functions = self.functions.into_values().map(|(name, figures)| (name.to_owned(), figures)).collect();
        MetricsAnswer { source: Source::Prometheus, since: until.saturating_sub(self.span.window), until, functions }
    }
}

fn set(latency: &mut Option<Latency>, share: Share, value: f64) {
    let latency = latency.get_or_insert_default();
    match share {
        Share::Half => latency.p50 = value,
        Share::Of95 => latency.p95 = value,
        Share::Of99 => latency.p99 = value,
    }
}
