//! What becomes of two connections that have left HTTP.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

/// Carries bytes both ways until one side ends or `shutdown` is cancelled. The guard is dropped at the end.
pub(crate) async fn run<G>(client: OnUpgrade, server: OnUpgrade, guard: G, shutdown: CancellationToken) {
    let both = async {
        let (client, server) = tokio::try_join!(client, server)?;
        let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
        // That a side goes away without a word is how most tunnels end.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        Ok::<(), hyper::Error>(())
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        ended = both => if let Err(error) = ended {
            tracing::debug!(%error, "an upgrade was agreed on and did not happen");
        },
    }
    drop(guard);
}
