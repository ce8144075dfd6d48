//! One push of a branch, on its way to git-tar.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, State};
use http::StatusCode;
use sdk::audit::Auditor;
use sdk::call::{CallError, CallId, Functions};
use sdk::event::PushEvent;
use sdk::failure::Failure;
use sdk::signing::{Key, Signed};
use sdk::status::{Reporter, STACK_CONTEXT, State as Progress, Status};

use crate::config::Config;
use crate::gate;

const NAME: &str = "github-push";
/// A status may hold up the push so long.
const STATUS_TIME: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(crate) struct App {
    key: Key,
    functions: Functions,
    auditor: Auditor,
    build_branch: Option<Arc<str>>,
}

impl FromRef<App> for Key {
    fn from_ref(app: &App) -> Self {
        app.key.clone()
    }
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            key: config.functions.key(NAME),
            auditor: Auditor::new(NAME, config.functions.clone()),
            functions: config.functions,
            build_branch: config.build_branch.map(Arc::from),
        }
    }

    async fn report(&self, status: Status, call: &CallId) {
        let reporter = Reporter::start(self.functions.clone(), call.clone());
        reporter.report(status).await;
        if tokio::time::timeout(STATUS_TIME, reporter.flush()).await.is_err() {
            tracing::warn!(call_id = %call, "The status takes long; the push goes on without it");
        }
    }
}

pub(crate) async fn receive(
    State(app): State<App>,
    Signed { message: event, call }: Signed<PushEvent>,
) -> Result<(StatusCode, String), Failure> {
    if let Some(reason) = gate::reason_to_skip(&event, app.build_branch.as_deref()) {
        tracing::info!(call_id = %call, owner = %event.owner, repo = %event.repo, sha = %event.sha, "{reason}");
        app.auditor.push(&event, &reason, &call).await;
        app.report(Status::new(&event, STACK_CONTEXT, Progress::Neutral, &reason), &call).await;
        return Ok((StatusCode::OK, reason + "\n"));
    }
    app.report(Status::new(&event, STACK_CONTEXT, Progress::Queued, "queued"), &call).await;
    app.functions.enqueue("git-tar", &event, &call).await.map_err(not_queued)?;
    tracing::info!(call_id = %call, owner = %event.owner, repo = %event.repo, sha = %event.sha, "push queued for git-tar");
    app.auditor.push(&event, format!("deployment of {} queued", event.branch), &call).await;
    Ok((StatusCode::ACCEPTED, "queued for git-tar\n".to_owned()))
}

/// Always worth another try: the push itself is in order.
fn not_queued(error: CallError) -> Failure {
    Failure::upstream("the push could not be queued for git-tar").because(error)
}
