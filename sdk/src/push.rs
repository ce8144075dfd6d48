//! Which pushes are deployed: what `github-push` and `gitlab-push` do. They are one function under two names, since
//! all that is a host's own was left behind in the `*-event` functions.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::post;
use http::StatusCode;

use crate::audit::Auditor;
use crate::call::{CallError, CallId, Functions};
use crate::event::PushEvent;
use crate::failure::Failure;
use crate::signing::{Key, Signed};
use crate::status::{Reporter, STACK_CONTEXT, State as Progress, Status};
use crate::{ConfigError, Env};

/// The answer waits so long for the status, and nothing else does.
const STATUS_TIME: Duration = Duration::from_secs(2);

/// The function `name`: decides which [`PushEvent`]s go to git-tar. Reads `gateway_url`, `build_branch` (each
/// repository's default branch where it is unset) and the secret `payload-secret`.
///
/// # Errors
/// When the configuration is not usable: every missing and malformed value at once.
pub fn router(name: &'static str, env: &Env) -> Result<Router, ConfigError> {
    let r = env.reader();
    let functions = Functions::read(&r);
    let build_branch = r.optional::<String>("build_branch");
    r.finish()?;
    let functions = functions?;
    let gate = Gate {
        key: functions.key(name),
        auditor: Auditor::new(name, functions.clone()),
        functions,
        build_branch: build_branch?.map(Arc::from),
    };
    Ok(Router::new().route("/", post(receive)).with_state(gate))
}

#[derive(Clone)]
struct Gate {
    key: Key,
    functions: Functions,
    auditor: Auditor,
    build_branch: Option<Arc<str>>,
}

impl FromRef<Gate> for Key {
    fn from_ref(gate: &Gate) -> Self {
        gate.key.clone()
    }
}

async fn receive(
    State(gate): State<Gate>,
    Signed { message: event, call }: Signed<PushEvent>,
) -> Result<(StatusCode, String), Failure> {
    let reporter = Reporter::start(gate.functions.clone(), call.clone());
    let outcome = match reason_to_skip(&event, gate.build_branch.as_deref()) {
        Some(reason) => gate.skip(&event, &reporter, reason, &call).await,
        None => gate.hand_on(&event, &reporter, &call).await,
    };
    if tokio::time::timeout(STATUS_TIME, reporter.flush()).await.is_err() {
        tracing::warn!(call_id = %call, "The status takes long");
    }
    outcome
}

type Outcome = Result<(StatusCode, String), Failure>;

impl Gate {
    async fn skip(&self, event: &PushEvent, reporter: &Reporter, reason: String, call: &CallId) -> Outcome {
        tracing::info!(call_id = %call, owner = %event.owner, repo = %event.repo, sha = %event.sha, "{reason}");
        reporter.report(Status::new(event, STACK_CONTEXT, Progress::Neutral, &reason));
        self.auditor.push(event, &reason, call).await;
        Ok((StatusCode::OK, reason + "\n"))
    }

    /// The status is on its way while the push goes on: a host may take a fifth of a second for it.
    async fn hand_on(&self, event: &PushEvent, reporter: &Reporter, call: &CallId) -> Outcome {
        reporter.report(Status::new(event, STACK_CONTEXT, Progress::Queued, "queued"));
        if let Err(error) = self.functions.enqueue("git-tar", event, call).await {
            let failure = not_queued(error);
            // Or it would be queued for ever, if no further try succeeds.
            let sentence = format!("{failure}; it will be tried again");
            reporter.report(Status::new(event, STACK_CONTEXT, Progress::Failure, sentence));
            self.auditor.push(event, failure.public(), call).await;
            return Err(failure);
        }
        tracing::info!(call_id = %call, owner = %event.owner, repo = %event.repo, sha = %event.sha, "push queued for git-tar");
        self.auditor.push(event, format!("deployment of {} queued", event.branch), call).await;
        Ok((StatusCode::ACCEPTED, "queued for git-tar\n".to_owned()))
    }
}

/// The sentence for a push that is not deployed, or `None` where it is. Whole names are compared: `evil/master`
/// is not `master`. A commit that somebody asked for by itself is deployed whatever its branch.
fn reason_to_skip(event: &PushEvent, build_branch: Option<&str>) -> Option<String> {
    let wanted = build_branch.unwrap_or(&event.default_branch);
    let skipped = event.branch != wanted && !event.pinned;
    skipped.then(|| format!("skipping build for refs/heads/{}: the build branch is {wanted}", event.branch))
}

/// Always worth another try: the push itself is in order.
fn not_queued(error: CallError) -> Failure {
    Failure::upstream("the push could not be queued for git-tar").because(error)
}
