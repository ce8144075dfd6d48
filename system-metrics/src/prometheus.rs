//! Figures from a Prometheus that scrapes the gateway.

mod client;
mod query;
mod reply;
mod sheet;
mod span;

use std::time::Duration;

use futures_util::future::try_join_all;
use sdk::metrics::MetricsAnswer;
use url::Url;

use self::client::Client;
pub(crate) use self::client::PrometheusError;
use self::query::{Curve, Selector, Sum};
use self::sheet::Sheet;
pub(crate) use self::span::Span;
use crate::owned::Owned;

/// A Prometheus. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Prometheus {
    client: Client,
    timeout: Duration,
}

impl Prometheus {
    /// The one at `base`, which may take so long for a whole answer.
    pub(crate) fn new(base: Url, timeout: Duration) -> Self {
        Self { client: Client::new(base, timeout), timeout }
    }

    /// How these functions did.
    ///
    /// # Errors
    /// When it does not answer all that is asked, and rightly, in time.
    pub(crate) async fn ask(&self, functions: &[Owned], span: &Span) -> Result<MetricsAnswer, PrometheusError> {
        let sheet = Sheet::new(functions, span);
        if functions.is_empty() {
            return Ok(sheet.finish());
        }
        let asked = tokio::time::timeout(self.timeout, self.fill(sheet, &Selector::of(functions), span)).await;
        asked.map_err(|_| PrometheusError::Late(self.timeout))?
    }

    async fn fill(
        &self,
        mut sheet: Sheet<'_>,
        selector: &Selector,
        span: &Span,
    ) -> Result<MetricsAnswer, PrometheusError> {
        let sums = Sum::ALL.map(|sum| async move {
            let rows = self.client.at(&sum.query(selector, span.window), span.until).await?;
            Ok::<_, PrometheusError>((sum, rows))
        });
        let curves = Curve::ALL.into_iter().filter(|_| span.points > 0).map(|curve| async move {
            let rows = self.client.over(&curve.query(selector, span.step), span).await?;
            Ok::<_, PrometheusError>((curve, rows))
        });
        let (sums, curves) = tokio::try_join!(try_join_all(sums), try_join_all(curves))?;
        for (sum, rows) in sums {
            sheet.put(sum, &rows);
        }
        for (curve, rows) in curves {
            sheet.draw(curve, &rows);
        }
        Ok(sheet.finish())
    }
}
