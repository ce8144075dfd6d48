//! Prometheus' HTTP API.

use std::time::Duration;

use reqwest::StatusCode;
use url::Url;

use super::reply::{Reply, Row};
use super::span::Span;

/// The longest answer that is taken, in bytes.
const MOST_BYTES: usize = 32 << 20;
/// The longest error text that is kept, in bytes.
const MOST_ERROR_TEXT: usize = 1024;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrometheusError {
    #[error("Prometheus does not answer")]
    Unreachable(#[source] reqwest::Error),
    #[error("Prometheus answered {status}: {text}")]
    Refused { status: StatusCode, text: String },
    #[error("Prometheus' answer is not understood")]
    Malformed(#[source] serde_json::Error),
    #[error("Prometheus' answer is longer than {MOST_BYTES} bytes")]
    TooLong,
    #[error("Prometheus has not answered within {0:?}")]
    Late(Duration),
}

#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    /// For one query. Prometheus is told, so that it does not work on what nobody waits for.
    timeout: Duration,
}

impl Client {
    pub(super) fn new(base: Url, timeout: Duration) -> Self {
        Self { http: sdk::http::client(), base, timeout }
    }

    /// The values at a moment, in seconds since 1970.
    pub(super) async fn at(&self, query: &str, time: u64) -> Result<Vec<Row>, PrometheusError> {
        self.ask("query", &[("query", query), ("time", &time.to_string())]).await
    }

    /// The values at the points of a span.
    pub(super) async fn over(&self, query: &str, span: &Span) -> Result<Vec<Row>, PrometheusError> {
        let [start, end, step] = [span.at(0), span.until, span.step].map(|seconds| seconds.to_string());
        self.ask("query_range", &[("query", query), ("start", &start), ("end", &end), ("step", &step)]).await
    }

    async fn ask(&self, route: &str, form: &[(&str, &str)]) -> Result<Vec<Row>, PrometheusError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/api/v1/{route}", self.base.path().trim_end_matches('/')));
        let patience = format!("{}ms", self.timeout.as_millis());
        let form: Vec<_> = form.iter().copied().chain([("timeout", patience.as_str())]).collect();
        let unreachable = |cause: reqwest::Error| PrometheusError::Unreachable(cause.without_url());
        let mut response = self.http.post(url).form(&form).send().await.map_err(unreachable)?;
        let status = response.status();
        if !status.is_success() {
            let text = sdk::call::bounded_text(response, MOST_ERROR_TEXT).await;
            return Err(PrometheusError::Refused { status, text });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(PrometheusError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map(Reply::rows).map_err(PrometheusError::Malformed)
    }
}
