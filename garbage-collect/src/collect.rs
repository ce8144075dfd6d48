//! One collection.

use axum::Json;
use axum::extract::{FromRef, State};
use futures_util::{StreamExt, stream};
use sdk::audit::{AuditEvent, Auditor};
use sdk::call::CallId;
use sdk::failure::Failure;
use sdk::garbage::{GARBAGE_FUNCTION, GarbageRequest};
use sdk::gateway::{Gateway, GatewayError};
use sdk::signing::{Key, Signed};
use serde::Serialize;

use crate::config::Config;
use crate::garbage::Garbage;

/// So many deletions at the same time; each may wait for a container to end its work.
const AT_ONCE: usize = 8;

#[derive(Clone)]
pub(crate) struct App {
    key: Key,
    gateway: Gateway,
    auditor: Auditor,
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

impl App {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            key: config.functions.key(GARBAGE_FUNCTION),
            gateway: config.gateway,
            auditor: Auditor::new(GARBAGE_FUNCTION, config.functions),
        }
    }

    async fn audit(&self, request: &GarbageRequest, message: String, call: &CallId) {
        let (owner, repo) = (request.owner.to_string(), request.repo.to_string());
        self.auditor.send(AuditEvent { message, owner, repo, ..AuditEvent::default() }, call).await;
    }
}

pub(crate) async fn receive(
    State(app): State<App>,
    Signed { message: request, call }: Signed<GarbageRequest>,
) -> Result<Json<Collected>, Failure> {
    if request.owner_id == 0 {
        return Err(Failure::bad_request("owner_id must be greater than 0"));
    }
    let functions = app
        .gateway
        .list()
        .await
        .map_err(|error| Failure::upstream("the gateway does not say which functions there are").because(error))?;
    let garbage = Garbage::of(&request);
    let names = functions.into_iter().filter(|function| garbage.includes(function)).map(|function| function.name);
    let deletions = names.map(|name| async {
        let result = app.gateway.delete(&name).await;
        (name, result)
    });
    let results: Vec<_> = stream::iter(deletions).buffer_unordered(AT_ONCE).collect().await;
    conclude(&app, &request, &call, results).await
}

async fn conclude(
    app: &App,
    request: &GarbageRequest,
    call: &CallId,
    results: Vec<(String, Result<bool, GatewayError>)>,
) -> Result<Json<Collected>, Failure> {
    let mut deleted = Vec::new();
    let mut failed: Option<(usize, GatewayError)> = None;
    for (name, result) in results {
        match result {
            Ok(_) => deleted.push(name),
            Err(error) => failed = Some((failed.map_or(1, |(count, _)| count + 1), error)),
        }
    }
    deleted.sort();
    if !deleted.is_empty() {
        tracing::info!(call_id = %call, owner = %request.owner, repo = %request.repo, ?deleted, "garbage collected");
        app.audit(request, format!("garbage collected: {}", deleted.join(", ")), call).await;
    }
    let Some((count, error)) = failed else { return Ok(Json(Collected { deleted })) };
    let sentence = format!("{count} of the functions that left the repository could not be deleted");
    app.audit(request, sentence.clone(), call).await;
    Err(Failure::upstream(sentence).because(error))
}
