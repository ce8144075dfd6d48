//! One status, on its way to the author of the push.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, State};
use gitlab_api::GitlabError;
use http::StatusCode;
use sdk::call::{CallId, Functions};
use sdk::failure::Failure;
use sdk::signing::{Key, Signed};
use sdk::status::Message;

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

impl App {
    pub(crate) fn new(config: Config) -> Self {
        let host = config.gitlab.instance().host().into();
        let gitlab = Gitlab::new(&config.gitlab, config.environment, config.targets);
        let gitlab = config.report.then(|| Arc::new(gitlab));
        Self { key: config.key, host, gitlab, functions: config.functions }
    }

    /// A last word that GitLab does not want yet waits in the queue, which keeps to GitLab's pause.
    async fn put_off(&self, message: Message, call: &CallId) -> Result<(), Failure> {
        let failed = || Failure::new(StatusCode::SERVICE_UNAVAILABLE, BUSY);
        let functions = self.functions.as_ref().ok_or_else(failed)?;
        message.wait(functions, call).await.map_err(|error| failed().because(error))
    }
}

type Answer = Result<(StatusCode, &'static str), Failure>;

pub(crate) async fn receive(State(app): State<App>, Signed { message, call }: Signed<Message>) -> Answer {
    let (status, call) = (&message.status, message.call(call));
    status.log(&call);
    let Some(gitlab) = app.gitlab.as_ref().filter(|_| *status.host == *app.host && status.repo_id != 0) else {
        return Ok((StatusCode::OK, "logged\n"));
    };
    let reported = tokio::time::timeout(TIMEOUT, gitlab.report(status)).await;
    let reported = reported.map_err(|_| Failure::new(StatusCode::GATEWAY_TIMEOUT, "GitLab takes too long"))?;
    match reported {
        Ok(Outcome::Reported) => Ok((StatusCode::OK, "reported\n")),
        Ok(Outcome::Late) => Ok((StatusCode::OK, "too late: something newer was said here\n")),
        Err(GitlabError::Busy { .. }) if message.may_wait() => {
            app.put_off(message, &call).await?;
            Ok((StatusCode::ACCEPTED, "put off: GitLab wants no reports for a while\n"))
        }
        Err(error) => Err(failure(error)),
    }
}

/// 5xx for what may be better later, 422 for what will not: the caller does not say it again then.
fn failure(error: GitlabError) -> Failure {
    let wait = error.wait();
    let denied = |status: StatusCode| matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let failure = match &error {
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
    };
    let failure = failure.because(error);
    match wait {
        Some(wait) => failure.not_before(wait),
        None => failure,
    }
}
