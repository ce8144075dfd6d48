//! import-secrets, whose first key takes a while to make: its router is there as soon as the key is, and nothing else waits
//! for it.

use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use http::StatusCode;
use http::header::RETRY_AFTER;
use of_gateway::PlatformFunction;
use sdk::Env;
use sdk::secrets::SECRETS_FUNCTION;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::variables::Variables;
use crate::data_dir::DataDir;
use crate::sealing::{Schedule, SealingKeys};
use crate::secrets::{GATEWAY_PASSWORD, GATEWAY_USER, PAYLOAD};

/// The keys of the bucket, where records are kept in one.
const S3: [(&str, &str); 2] = [("s3-access-key", "s3-access-key"), ("s3-secret-key", "s3-secret-key")];
/// How long a call waits for the first key. Slow machines take most of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What keeps the keys, and gives the function its router.
pub(super) struct Keeper {
    env: Env,
    schedule: Schedule,
    router: watch::Sender<Option<Router>>,
}

/// The function, and what has to run beside it.
///
/// # Errors
/// When the keys that are there cannot be used, or the function is not configured rightly.
pub(super) fn mount(data: &DataDir, variables: &Variables, days: u32) -> anyhow::Result<(PlatformFunction, Keeper)> {
    let keys = SealingKeys::of(data);
    keys.close()?;
    let path = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    let store = if variables.site().has_bucket() { "s3" } else { "directory" };
    let own = vec![
        ("sealing_directory", path(data.sealing_keys())),
        ("record_store", store.to_owned()),
        ("record_directory", path(data.secret_records())),
    ];
    let mut secrets =
        vec![("payload-secret", PAYLOAD), ("basic-auth-user", GATEWAY_USER), ("basic-auth-password", GATEWAY_PASSWORD)];
    secrets.extend(variables.site().has_bucket().then_some(S3).into_iter().flatten());
    let env = variables.env_with(own, &secrets)?;
    let made = if keys.load()?.is_some() { Some(router(&env)?) } else { None };
    if made.is_none() && data.secret_records().exists() {
        tracing::warn!("The sealing keys are gone: what was sealed to them opens no more. `ofc restore` may have them");
    }
    let (router, wait) = watch::channel(made);
    let function = PlatformFunction::new(SECRETS_FUNCTION, in_time(wait));
    Ok((function, Keeper { env, schedule: Schedule::new(keys, days), router }))
}

fn router(env: &Env) -> anyhow::Result<Router> {
    import_secrets::router(env).with_context(|| format!("the function {SECRETS_FUNCTION} is not configured rightly"))
}

impl Keeper {
    /// Makes the first key where there is none, then new ones in time, until `stop`.
    ///
    /// # Errors
    /// When the first cannot be made.
    pub(super) async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            made = self.schedule.first(Utc::now()) => made.context("the first sealing key cannot be made")?,
        }
        if self.router.borrow().is_none() {
            self.router.send_replace(Some(router(&self.env)?));
        }
        self.schedule.keep(stop).await;
        Ok(())
    }
}

/// Passes requests on to the router that is there, or will be.
fn in_time(wait: watch::Receiver<Option<Router>>) -> Router {
    Router::new().fallback(move |request: Request| answer(wait.clone(), request))
}

async fn answer(mut wait: watch::Receiver<Option<Router>>, request: Request) -> Response {
    let there = tokio::time::timeout(PATIENCE, wait.wait_for(Option::is_some)).await;
    let router = there.ok().and_then(Result::ok).and_then(|router| router.clone());
    let Some(router) = router else {
        let sentence = "the first sealing key is still being made: try again soon\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], sentence).into_response();
    };
    router.oneshot(request).await.unwrap_or_else(|never| match never {})
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;

    use super::*;

    async fn ask(router: Router) -> StatusCode {
        router.oneshot(Request::get("/v1/cert.pem").body(Body::empty()).unwrap()).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_call_waits_for_the_first_key() {
        let (made, wait) = watch::channel(None);
        let function = in_time(wait);
        let asked = tokio::spawn(ask(function.clone()));
        let real = Router::new().route("/v1/cert.pem", get(|| async { "certificate" }));
        made.send_replace(Some(real));
        assert_eq!(asked.await.unwrap(), StatusCode::OK);
        assert_eq!(ask(function).await, StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_does_not_wait_for_ever() {
        let (made, wait) = watch::channel(None);
        assert_eq!(ask(in_time(wait.clone())).await, StatusCode::SERVICE_UNAVAILABLE);
        drop(made);
        assert_eq!(ask(in_time(wait)).await, StatusCode::SERVICE_UNAVAILABLE);
    }
}
