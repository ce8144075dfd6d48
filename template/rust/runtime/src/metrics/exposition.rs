//! The text that Prometheus reads (exposition format 0.0.4).

use std::fmt::{self, Write};
use std::sync::atomic::Ordering;

use super::{BUCKETS, Metrics, Series};

/// What the text is, for `Content-Type`.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Metrics {
    /// All series and the number of requests being answered.
    pub(crate) fn text(&self, in_flight: usize) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text, in_flight);
        text
    }

    fn write(&self, text: &mut String, in_flight: usize) -> fmt::Result {
        header(text, "http_requests_total", "Requests answered.", "counter")?;
        for (method, code, series) in self.series() {
            let count: u64 = series.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum();
            writeln!(
                text,
                r#"http_requests_total{{code="{code}",method="{method}"}} {count}"#
            )?;
        }
        let help = "Seconds from a request's head to its response's end.";
        header(text, "http_request_duration_seconds", help, "histogram")?;
        for (method, code, series) in self.series() {
            series.write(text, &format!(r#"code="{code}",method="{method}""#))?;
        }
        header(text, "http_requests_in_flight", "Requests being answered.", "gauge")?;
        writeln!(text, "http_requests_in_flight {in_flight}")
    }
}

impl Series {
    fn write(&self, text: &mut String, labels: &str) -> fmt::Result {
        let mut count = 0;
        let bounds = BUCKETS.iter().map(|(_, bound)| *bound).chain(["+Inf"]);
        for (bound, bucket) in bounds.zip(&self.buckets) {
            count += bucket.load(Ordering::Relaxed);
            writeln!(
                text,
                r#"http_request_duration_seconds_bucket{{{labels},le="{bound}"}} {count}"#
            )?;
        }
        let micros = self.micros.load(Ordering::Relaxed);
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        writeln!(
            text,
            "http_request_duration_seconds_sum{{{labels}}} {seconds}.{fraction:06}"
        )?;
        writeln!(text, "http_request_duration_seconds_count{{{labels}}} {count}")
    }
}

fn header(text: &mut String, name: &str, help: &str, kind: &str) -> fmt::Result {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;

    use super::*;

    #[test]
    fn only_what_was_seen_is_written() {
        let text = Metrics::default().text(3);
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples, ["http_requests_in_flight 3"]);
    }

    #[test]
    fn a_series_counts_and_adds_up() {
        let metrics = Metrics::default();
        for millis in [1, 7, 7, 20_000] {
            metrics.observe(&Method::GET, 200, Duration::from_millis(millis));
        }
        let text = metrics.text(0);
        for line in [
            r#"http_requests_total{code="200",method="get"} 4"#,
            r#"http_request_duration_seconds_bucket{code="200",method="get",le="0.005"} 1"#,
            r#"http_request_duration_seconds_bucket{code="200",method="get",le="0.01"} 3"#,
            r#"http_request_duration_seconds_bucket{code="200",method="get",le="10"} 3"#,
            r#"http_request_duration_seconds_bucket{code="200",method="get",le="+Inf"} 4"#,
            r#"http_request_duration_seconds_sum{code="200",method="get"} 20.015000"#,
            r#"http_request_duration_seconds_count{code="200",method="get"} 4"#,
        ] {
            assert!(text.lines().any(|written| written == line), "missing {line} in\n{text}");
        }
    }

    #[test]
    fn methods_of_a_clients_invention_share_one_series() {
        let metrics = Metrics::default();
        for name in ["BREW", "WHEN"] {
            metrics.observe(&Method::from_bytes(name.as_bytes()).unwrap(), 404, Duration::ZERO);
        }
        assert!(
            metrics
                .text(0)
                .contains(r#"http_requests_total{code="404",method="unknown"} 2"#)
        );
    }
}
