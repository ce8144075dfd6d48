//! `POST /`: one push.

use axum::extract::State;
use sdk::event::PushEvent;
use sdk::failure::Failure;
use sdk::signing::Signed;
use tracing::Instrument;

use crate::push::Platform;

/// Deploys what was pushed and answers with the sentence that the status says, too.
pub(crate) async fn push(
    State(platform): State<Platform>,
    Signed { message: event, call }: Signed<PushEvent>,
) -> Result<String, Failure> {
    let span =
        tracing::info_span!("push", owner = %event.owner, repo = %event.repo, sha = event.sha.short(), call_id = %call);
    async move {
        tracing::info!(branch = event.branch, "push received");
        let outcome = platform.deploy(&event, &call).await;
        tracing::info!(ok = outcome.is_ok(), "push finished");
        Ok(outcome? + "\n")
    }
    .instrument(span)
    .await
}
