//! One status, on its way to the author of the push.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, State};
use github_app::GithubError;
use http::StatusCode;
use sdk::call::{CallId, Functions};
use sdk::failure::Failure;
use sdk::signing::{Key, Signed};
use sdk::status::Message;

use crate::config::Config;
use crate::github::{Github, Outcome};

/// How long one status may take in all; callers wait for half a minute.
const TIMEOUT: Duration = Duration::from_secs(25);
const BUSY: &str = "GitHub wants no reports for a while";

#[derive(Clone)]
pub(crate) struct App {
    key: Key,
    host: Arc<str>,
    github: Option<Arc<Github>>,
    functions: Option<Functions>,
}

impl FromRef<App> for Key {
    fn from_ref(app: &App) -> Self {
        app.key.clone()
    }
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        let Config { key, host, github, use_checks, environment, targets, functions } = config;
        let github = github.map(|client| Arc::new(Github::new(&client, use_checks, environment, targets)));
        Self { key, host: host.into(), github, functions }
    }

    /// A last word that GitHub does not want yet waits in the queue, which keeps to GitHub's pause.
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
    let Some(github) = app.github.as_ref().filter(|_| *status.host == *app.host) else {
        return Ok((StatusCode::OK, "logged\n"));
    };
    let reported = tokio::time::timeout(TIMEOUT, github.report(status, &call)).await;
    let reported = reported.map_err(|_| Failure::new(StatusCode::GATEWAY_TIMEOUT, "GitHub takes too long"))?;
    match reported {
        Ok(Outcome::Reported) => Ok((StatusCode::OK, "reported\n")),
        Ok(Outcome::Late) => Ok((StatusCode::OK, "too late: something newer was said here\n")),
        Ok(Outcome::OfAnother) => Ok((StatusCode::OK, "left as it is: another push has a result here\n")),
        Err(GithubError::Busy { .. }) if message.may_wait() => {
            app.put_off(message, &call).await?;
            Ok((StatusCode::ACCEPTED, "put off: GitHub wants no reports for a while\n"))
        }
        Err(error) => Err(failure(error)),
    }
}

/// 5xx for what may be better later, 422 for what will not: the caller does not say it again then.
fn failure(error: GithubError) -> Failure {
    let denied = matches!(error.status(), Some(StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY));
    match &error {
        GithubError::Busy { wait, .. } => Failure::new(StatusCode::SERVICE_UNAVAILABLE, BUSY).not_before(*wait),
        error if error.is_worth_a_retry() => Failure::upstream("the status could not be reported"),
        GithubError::Malformed { .. } => Failure::upstream("GitHub's answer is not understood"),
        _ if denied => Failure::refused(
            "GitHub does not take the status: the App needs the permission Checks (read and write), or Commit statuses \
             with use_checks: false; a fixed token makes commit statuses only, except at of-git",
        ),
        _ => Failure::refused("GitHub does not take the status"),
    }
    .because(error)
}
