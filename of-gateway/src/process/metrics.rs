//! The port for Prometheus.

use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a scrape may take to end when the gateway does.
const GRACE: Duration = Duration::from_secs(1);

/// Serves one gateway's metrics until told to end.
#[derive(Debug)]
pub(crate) struct Metrics {
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Metrics {
    pub(crate) fn serve(listener: TcpListener, page: Router) -> anyhow::Result<Self> {
        tracing::info!(address = %listener.local_addr()?, "Metrics are served.");
        let stop = CancellationToken::new();
        let serving = axum::serve(listener, page).with_graceful_shutdown(stop.clone().cancelled_owned());
        Ok(Self { stop, serving: tokio::spawn(serving.into_future()) })
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        // What has not ended by then ends with the program.
        let _ = timeout(GRACE, self.serving).await;
    }
}
