//! What time is asked about.

use sdk::metrics::Window;

/// An increase needs two scrapes at least, so points are no closer, in seconds.
const SHORTEST_STEP: u64 = 60;

/// All in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Since 1970.
    pub(super) until: u64,
    pub(super) window: u64,
    pub(super) points: u64,
    /// Between two points.
    pub(super) step: u64,
}

impl Span {
    /// A window that ends at `until`, with at most so many points.
    pub(crate) fn new(until: u64, window: Window, points: usize) -> Self {
        let window = window.seconds();
        let points = (points as u64).min(window / SHORTEST_STEP);
        Self { until, window, points, step: window / points.max(1) }
    }

    /// When this point is, since 1970.
    pub(super) fn at(&self, point: u64) -> u64 {
        self.until.saturating_sub(self.step * self.points.saturating_sub(point + 1))
    }

    /// Which point is at this moment.
    pub(super) fn point(&self, at: f64) -> Option<usize> {
        let point = (at - self.at(0) as f64) / self.step as f64;
        (point > -0.5 && point.round() < self.points as f64).then(|| point.round() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_end_with_the_window_and_are_never_too_close() {
        let span = Span::new(1_000_000, Window::Hour, 4);
        assert_eq!([0, 1, 2, 3].map(|point| span.at(point)), [997_300, 998_200, 999_100, 1_000_000]);
        assert_eq!(
            [997_300.0, 998_200.001, 1_000_000.0, 1_000_900.0, 996_400.0, f64::NAN].map(|at| span.point(at)),
            [Some(0), Some(1), Some(3), None, None, None]
        );
        assert_eq!((Span::new(0, Window::Hour, 240).points, Span::new(0, Window::Hour, 240).step), (60, 60));
        assert_eq!((Span::new(0, Window::Week, 240).points, Span::new(0, Window::Week, 240).step), (240, 2520));
        assert_eq!(Span::new(0, Window::Day, 0).points, 0);
    }
}
