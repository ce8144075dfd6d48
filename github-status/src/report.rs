//! One status, on its way to the author of the push.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, State};
use github_app::GithubError;
use http::StatusCode;
use sdk::call::{CallId, Functions};
use sdk::event::Scm;
use sdk::failure::Failure;
use sdk::signing::{Key, Signed};
use sdk::status::Status;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::github::{Github, Outcome};

/// How long one status may take in all; callers wait for half a minute.
const TIMEOUT: Duration = Duration::from_secs(25);

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
        let Config { key, host, github, use_checks, environment, targets, functions } = config;
        let github = github.map(|client| Arc::new(Github::new(&client, use_checks, environment, targets)));
        Self { key, host: host.into(), github, functions }
    }

    /// A last word that GitHub does not want yet waits in the queue, which tries again for hours.
    async fn put_off(&self, status: Status, call: &CallId) -> Result<(), Failure> {
        let failed = || Failure::new(StatusCode::SERVICE_UNAVAILABLE, "GitHub wants no reports for a while");
        let functions = self.functions.as_ref().ok_or_else(failed)?;
        let message = Message { status, waited_for: Some(call.to_string()) };
        // The queue takes two messages under one id for one message: each context has one of its own.
        let sent = functions.enqueue(Scm::Github.status_function(), &message, &call.child()).await;
        sent.map_err(|error| failed().because(error))
    }
}

type Answer = Result<(StatusCode, &'static str), Failure>;

pub(crate) async fn receive(State(app): State<App>, Signed { message, call }: Signed<Message>) -> Answer {
    let Message { status, waited_for } = message;
    let has_waited = waited_for.is_some();
    let call = waited_for.and_then(|text| CallId::parse(&text)).unwrap_or(call);
    log(&status, &call);
    let Some(github) = app.github.as_ref().filter(|_| *status.host == *app.host) else {
        return Ok((StatusCode::OK, "logged\n"));
    };
    let reported = tokio::time::timeout(TIMEOUT, github.report(&status, &call)).await;
    let reported = reported.map_err(|_| Failure::new(StatusCode::GATEWAY_TIMEOUT, "GitHub takes too long"))?;
    match reported {
        Ok(Outcome::Reported) => Ok((StatusCode::OK, "reported\n")),
        Ok(Outcome::Late) => Ok((StatusCode::OK, "too late: something newer was said here\n")),
        Ok(Outcome::OfAnother) => Ok((StatusCode::OK, "left as it is: another push has a result here\n")),
        Err(GithubError::Busy { .. }) if status.state.is_final() && !has_waited => {
            app.put_off(status, &call).await?;
            Ok((StatusCode::ACCEPTED, "put off: GitHub wants no reports for a while\n"))
        }
        Err(error) => Err(failure(error)),
    }
}

/// 5xx for what may be better later, 422 for what will not: the caller does not say it again then.
fn failure(error: GithubError) -> Failure {
    let denied = matches!(error.status(), Some(StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY));
    match &error {
        GithubError::Busy { .. } => {
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, "GitHub wants no reports for a while")
        }
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
