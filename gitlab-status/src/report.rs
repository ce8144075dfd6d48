//! One status, on its way to the author of the push.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use gitlab_api::GitlabError;
use http::StatusCode;
use http::header::RETRY_AFTER;
use sdk::call::{CallId, Functions};
use sdk::event::Scm;
use sdk::failure::Failure;
use sdk::signing::{Key, Signed};
use sdk::status::Status;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::gitlab::{Gitlab, Outcome};

/// How long one status may take in all; callers wait for half a minute.
const TIMEOUT: Duration = Duration::from_secs(25);
const BUSY: &str = "GitLab wants no reports for a while";

#[derive(Clone)]
pub(crate) struct App {
    key: Key,
    host: Arc<str>,
    gitlab: Option<Arc<Gitlab>>,
    functions: Option<Functions>,
}

impl FromRef<App> for Key {
    fn from_ref(app: &App) -> Self {
        app.key.clone()
    }
}

/// A status, as a caller sends it or as it comes back from the queue.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    #[serde(flatten)]
    status: Status,
    /// The push's call, where the message has an id of its own: it waited in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waited_for: Option<String>,
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        let host = config.gitlab.instance().host().into();
        let gitlab = Gitlab::new(&config.gitlab, config.environment, config.targets);
        let gitlab = config.report.then(|| Arc::new(gitlab));
        Self { key: config.key, host, gitlab, functions: config.functions }
    }

    /// A last word that GitLab does not want yet waits in the queue, which keeps to GitLab's pause.
    async fn put_off(&self, status: Status, call: &CallId) -> Result<(), Failure> {
        let failed = || Failure::new(StatusCode::SERVICE_UNAVAILABLE, BUSY);
        let functions = self.functions.as_ref().ok_or_else(failed)?;
        let message = Message { status, waited_for: Some(call.to_string()) };
        // The queue takes two messages under one id for one message: each context has one of its own.
        let sent = functions.enqueue(Scm::Gitlab.status_function(), &message, &call.child()).await;
        sent.map_err(|error| failed().because(error))
    }
}

pub(crate) async fn receive(State(app): State<App>, Signed { message, call }: Signed<Message>) -> Response {
    let Message { status, waited_for } = message;
    let has_waited = waited_for.is_some();
    let call = waited_for.and_then(|text| CallId::parse(&text)).unwrap_or(call);
    log(&status, &call);
    let Some(gitlab) = app.gitlab.as_ref().filter(|_| *status.host == *app.host && status.repo_id != 0) else {
        return "logged\n".into_response();
    };
    match tokio::time::timeout(TIMEOUT, gitlab.report(&status)).await {
        Err(_) => Failure::new(StatusCode::GATEWAY_TIMEOUT, "GitLab takes too long").into_response(),
        Ok(Ok(Outcome::Reported)) => "reported\n".into_response(),
        Ok(Ok(Outcome::Late)) => "too late: something newer was said here\n".into_response(),
        Ok(Err(GitlabError::Busy { .. })) if status.state.is_final() && !has_waited => {
            let put_off = app.put_off(status, &call).await;
            put_off.map(|()| (StatusCode::ACCEPTED, "put off: GitLab wants no reports for a while\n")).into_response()
        }
        Ok(Err(error)) => {
            let wait = error.wait();
            let mut response = failure(error).into_response();
            if let Some(wait) = wait {
                response.headers_mut().insert(RETRY_AFTER, (wait.as_secs() + 1).into());
            }
            response
        }
    }
}

/// 5xx for what may be better later, 422 for what will not: the caller does not say it again then.
fn failure(error: GitlabError) -> Failure {
    let denied = |status: StatusCode| matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    match &error {
        GitlabError::Busy { .. } => Failure::new(StatusCode::SERVICE_UNAVAILABLE, BUSY),
        GitlabError::Malformed { .. } => Failure::upstream("GitLab's answer is not understood"),
        error if error.is_worth_a_retry() => Failure::upstream("the status could not be reported"),
        GitlabError::NotThere { .. } => {
            Failure::refused("GitLab has no such commit, or does not show the project to the token")
        }
        GitlabError::Refused { status, .. } if denied(*status) => Failure::refused(
            "GitLab does not take the status: gitlab-api-token needs the scope api, and its owner the role Developer in \
             the project, Maintainer for protected branches",
        ),
        _ => Failure::refused("GitLab does not take the status"),
    }
    .because(error)
}

fn log(status: &Status, call: &CallId) {
    tracing::info!(
        call_id = %call,
        owner = %status.owner,
        repo = %status.repo,
        sha = %status.sha,
        context = status.context,
        state = ?status.state,
        title = status.title,
        url = status.url.as_deref().unwrap_or_default(),
        "status"
    );
}
