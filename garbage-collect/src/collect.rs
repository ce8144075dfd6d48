//! One collection.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRef, State};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use sdk::audit::Auditor;
use sdk::call::{CallError, CallId, Functions};
use sdk::failure::Failure;
use sdk::garbage::{GARBAGE_FUNCTION, GarbageRequest, Scope};
use sdk::gateway::{Gateway, GatewayError};
use sdk::secrets::{SECRETS_FUNCTION, SecretsRequest};
use sdk::signing::{Key, Signed};
use serde::Serialize;
use tokio::time::Instant;

use crate::config::Config;
use crate::garbage::Garbage;
use crate::trail::Trail;

/// So many deletions at the same time; each may wait for a container to end its work.
const AT_ONCE: usize = 8;

#[derive(Clone)]
pub(crate) struct App {
    key: Key,
    gateway: Gateway,
    functions: Functions,
    auditor: Auditor,
    collect_timeout: Duration,
    delete_timeout: Duration,
}

impl FromRef<App> for Key {
    fn from_ref(app: &App) -> Self {
        app.key.clone()
    }
}

#[derive(Serialize)]
pub(crate) struct Collected {
    deleted: Vec<String>,
}

/// What became of one function.
enum Ended {
    /// It is gone.
    Deleted,
    /// It is no longer what was to be deleted: it was deployed again in between.
    Kept,
    /// There was no time for it.
    Left,
    /// It is still there.
    Failed(GatewayError),
    /// The gateway took too long; nobody knows.
    Slow,
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            key: config.functions.key(GARBAGE_FUNCTION),
            gateway: config.gateway,
            collect_timeout: config.collect_timeout,
            delete_timeout: config.delete_timeout,
            auditor: Auditor::new(GARBAGE_FUNCTION, config.functions.clone()),
            functions: config.functions,
        }
    }

    /// Deletes a function that is garbage still: listing and deleting many takes its time.
    async fn delete(&self, garbage: &Garbage, name: &str) -> Result<Ended, GatewayError> {
        match self.gateway.get(name).await? {
            Some(function) if !garbage.includes(&function) => Ok(Ended::Kept),
            _ => self.gateway.delete(name).await.map(|_| Ended::Deleted),
        }
    }

    /// Who left takes the secrets along, now that no function mounts them. Where nobody keeps secrets, there are none.
    async fn withdraw_secrets(&self, request: GarbageRequest, call: &CallId) -> Result<(), Failure> {
        let withdraw = SecretsRequest::Withdraw(request);
        match self.functions.enqueue(SECRETS_FUNCTION, &withdraw, call).await {
            Ok(()) | Err(CallError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(()),
            Err(error) => {
                Err(Failure::upstream("the functions are deleted, and the secrets are not yet").because(error))
            }
        }
    }

    async fn end(&self, garbage: &Garbage, name: &str, deadline: Instant) -> Ended {
        if Instant::now() >= deadline {
            return Ended::Left;
        }
        match tokio::time::timeout(self.delete_timeout, self.delete(garbage, name)).await {
            Ok(ended) => ended.unwrap_or_else(Ended::Failed),
            Err(_) => Ended::Slow,
        }
    }
}

pub(crate) async fn receive(
    State(app): State<App>,
    Signed { message: request, call }: Signed<GarbageRequest>,
) -> Result<Json<Collected>, Failure> {
    let numbered = matches!(request.repo, Scope::Repo(_)) && request.repo_id.is_some();
    if request.owner_id == 0 && !request.former_owners {
        return Err(Failure::bad_request("owner_id must be greater than 0"));
    }
    if request.former_owners && !numbered {
        return Err(Failure::bad_request("former_owners needs a repository and its repo_id"));
    }
    let deadline = Instant::now() + app.collect_timeout;
    let trail = Trail { auditor: &app.auditor, request: &request, call: &call };
    let functions = match app.gateway.list().await {
        Ok(functions) => functions,
        Err(error) => {
            let failure = Failure::upstream("the gateway does not say which functions there are").because(error);
            trail.nothing(failure.public()).await;
            return Err(failure);
        }
    };
    let garbage = Garbage::of(&request);
    let names = functions.into_iter().filter(|function| garbage.includes(function)).map(|function| function.name);
    let names: Vec<_> = names.collect();
    // Before the first goes: whatever happens then, the trail names every function that is gone.
    trail.deleting(&names).await;
    let ends = names.into_iter().map(|name| async {
        let ended = app.end(&garbage, &name, deadline).await;
        (name, ended)
    });
    let ends: Vec<_> = stream::iter(ends).buffer_unordered(AT_ONCE).collect().await;
    let collected = conclude(&trail, &request, &call, ends).await?;
    if request.is_farewell() {
        app.withdraw_secrets(request, &call).await?;
    }
    Ok(collected)
}

async fn conclude(
    trail: &Trail<'_>,
    request: &GarbageRequest,
    call: &CallId,
    ends: Vec<(String, Ended)>,
) -> Result<Json<Collected>, Failure> {
    let (mut deleted, mut kept, mut left, mut cause) = (Vec::new(), Vec::new(), Vec::new(), None);
    for (name, ended) in ends {
        match ended {
            Ended::Deleted => deleted.push(name),
            Ended::Kept => kept.push(name),
            Ended::Left | Ended::Slow => left.push(name),
            Ended::Failed(error) => {
                left.push(name);
                cause = Some(error);
            }
        }
    }
    deleted.sort();
    if !deleted.is_empty() {
        tracing::info!(call_id = %call, owner = %request.owner, repo = %request.repo, ?deleted, "garbage collected");
    }
    trail.kept(&kept).await;
    trail.left(&left).await;
    if left.is_empty() {
        return Ok(Json(Collected { deleted }));
    }
    let failure = Failure::upstream(format!("{} of the functions that are to go could not be deleted", left.len()));
    Err(match cause {
        Some(error) => failure.because(error),
        None => failure.because("the gateway takes long"),
    })
}
