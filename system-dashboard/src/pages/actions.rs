//! What people change: replicas, a new deployment of the same, the end of a function. Each is for members, by a form of ours,
//! and in the audit trail.

use axum::extract::{Form, FromRequest, FromRequestParts as _, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use sdk::audit::{AuditEvent, Auditor};
use sdk::gateway::{FunctionDeployment, FunctionStatus, GatewayError};
use sdk::labels;
use serde::Deserialize;

use super::standing::short_name;
use crate::address::{Nothing, Visit};
use crate::app::App;
use crate::ask;
use crate::refusal::Refusal;
use crate::visitor::Place;
use crate::words;

/// More replicas cannot be asked for here.
const MAX_REPLICAS: u64 = 20;
/// Annotation: when somebody asked for the same deployment again, in milliseconds since 1970. It is how the new version differs.
const REDEPLOYED: &str = "com.openfaas.cloud.redeployed-at";

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Sent {
    #[serde(default)]
    token: String,
    #[serde(default)]
    replicas: Option<u64>,
    /// The function's name, typed by who deletes it.
    #[serde(default)]
    confirm: String,
}

/// A change that was asked for by a form of ours, by who may change the function.
pub(crate) struct Order {
    app: App,
    place: Place,
    /// The function's name in the address.
    name: String,
    function: FunctionStatus,
    sent: Sent,
}

pub(crate) async fn scale(order: Order) -> Result<Response, Refusal> {
    let replicas = order.sent.replicas.filter(|replicas| *replicas <= MAX_REPLICAS);
    let replicas = replicas.ok_or(Refusal::Bad("A function has 0 to 20 replicas."))?;
    let done = order.app.gateway.scale(&order.function.name, replicas).await;
    order.done(done, &format!("was scaled to {replicas} by hand"), "scaled").await
}

pub(crate) async fn redeploy(order: Order) -> Result<Response, Refusal> {
    let done = order.app.gateway.deploy(&same(&order.function)).await;
    order.done(done, "was deployed again by hand", "redeployed").await
}

pub(crate) async fn delete(Order { app, place, function, sent, .. }: Order) -> Result<Response, Refusal> {
    if sent.confirm.trim() != short_name(&function.name, place.owner.as_str()) {
        return Err(Refusal::Bad("To delete a function, type its name. Nothing is deleted."));
    }
    audit(&app, &place, &function, format!("{} is deleted by hand", function.name)).await;
    app.gateway.delete(&function.name).await.map_err(|error| down(&place, &error))?;
    Ok(see(&format!("/dashboard/{}?done=deleted", place.owner)))
}

impl FromRequest<App> for Order {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let (mut head, body) = request.into_parts();
        let Visit { app, place, name, .. } = Visit::<Nothing>::from_request_parts(&mut head, app).await?;
        let (place, headers) = (place.acting()?, head.headers.clone());
        let form = Form::<Sent>::from_request(Request::from_parts(head, body), &app).await;
        let Form(sent) = form.map_err(|_| Refusal::Bad("The form is not understood."))?;
        if !app.forms.is_ours(&place.visitor.who, &sent.token, &headers) {
            return Err(Refusal::Form);
        }
        let found = ask::function(&app, &place, &name).await.map_err(|down| Refusal::Down(down.0))?;
        Ok(Self { function: found.ok_or(Refusal::NotFound)?, app, place, name, sent })
    }
}

impl Order {
    /// Tells the audit trail what was done, and the browser where to look.
    async fn done<T>(self, outcome: Result<T, GatewayError>, what: &str, word: &str) -> Result<Response, Refusal> {
        let Self { app, place, name, function, .. } = self;
        outcome.map_err(|error| down(&place, &error))?;
        audit(&app, &place, &function, format!("{} {what}", function.name)).await;
        Ok(see(&format!("/dashboard/{}/{name}?done={word}", place.owner)))
    }
}

fn same(function: &FunctionStatus) -> FunctionDeployment {
    let of = function.clone();
    let mut annotations = of.annotations;
    annotations.insert(REDEPLOYED.to_owned(), words::now().to_string());
    FunctionDeployment {
        service: of.name,
        image: of.image,
        namespace: of.namespace,
        env_process: of.env_process,
        env_vars: of.env_vars,
        constraints: of.constraints,
        secrets: of.secrets,
        labels: of.labels,
        annotations,
        limits: of.limits,
        requests: of.requests,
        read_only_root_filesystem: Some(of.read_only_root_filesystem),
    }
}

/// Tells the audit trail.
pub(super) async fn audit(app: &App, place: &Place, function: &FunctionStatus, message: String) {
    let label = |name: &str| function.labels.get(name).cloned().unwrap_or_default();
    let event = AuditEvent {
        message,
        owner: place.owner.to_string(),
        owner_id: Some(place.id.clone()),
        repo: label(labels::GIT_REPO),
        sha: label(labels::GIT_SHA),
        function: short_name(&function.name, place.owner.as_str()).to_owned(),
        actor: format!("{} ({})", place.visitor.who.login, place.visitor.who.subject()),
        ..AuditEvent::default()
    };
    Auditor::new("system-dashboard", app.functions.clone()).send(event, &place.visitor.call).await;
}

fn down(place: &Place, error: &GatewayError) -> Refusal {
    tracing::warn!(call_id = %place.visitor.call, error = sdk::failure::chain(error), "The gateway did not do what was asked");
    match error.status() {
        Some(StatusCode::NOT_FOUND) => Refusal::NotFound,
        _ => Refusal::Down("The gateway did not do it, or"),
    }
}

fn see(address: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, address)]).into_response()
}
