//! One status, on its way to the author of the push.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use sdk::call::CallId;
use sdk::failure::Failure;
use sdk::signing::{Key, Signed};
use sdk::status::Status;

use crate::config::Config;
use crate::github::Github;

#[derive(Clone)]
pub(crate) struct App {
    key: Key,
    host: Arc<str>,
    github: Option<Arc<Github>>,
}

impl FromRef<App> for Key {
    fn from_ref(app: &App) -> Self {
        app.key.clone()
    }
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        let github = config.api.map(|(api, token)| Arc::new(Github::new(api, token)));
        Self { key: config.key, host: config.host.into(), github }
    }
}

pub(crate) async fn receive(
    State(app): State<App>,
    Signed { message: status, call }: Signed<Status>,
) -> Result<&'static str, Failure> {
    log(&status, &call);
    match &app.github {
        Some(github) if *status.host == *app.host => {
            let failed = |error| Failure::upstream("the status could not be reported").because(error);
            github.report(&status).await.map_err(failed)?;
            Ok("reported\n")
        }
        _ => Ok("logged\n"),
    }
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
