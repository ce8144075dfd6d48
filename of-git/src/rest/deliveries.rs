//! The webhooks of the last days, for the App.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::access::the_app;
use super::error::ApiError;
use super::page::{query, size};
use crate::app::App;
use crate::outbox::{Delivery, Outcome};
use crate::payload::time;

/// `GET /app/hook/deliveries`: newest first, each try for itself.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    the_app(&app, &headers)?;
    let asked = query(raw.as_deref())?;
    let size = size(&asked)?;
    let before = match asked.get("cursor") {
        None => u64::MAX,
        Some(text) => text.parse().map_err(|_| ApiError::unprocessable("Invalid cursor"))?,
    };
    let wanted = asked.get("status").map(|status| status == "success");
    let fits = |outcome: &Outcome| outcome.id < before && wanted.is_none_or(|good| outcome.is_good() == good);
    let mut all: Vec<_> = app.outbox.tries().await?.into_iter().filter(|(_, outcome)| fits(outcome)).collect();
    let more = all.len() > size;
    all.truncate(size);
    let last = all.last().map(|(_, outcome)| outcome.id);
    let shown: Vec<Value> = all.iter().map(|(delivery, outcome)| short(delivery, outcome)).collect();
    let mut response = Json(shown).into_response();
    if let (true, Some(last)) = (more, last) {
        let status = asked.get("status").map(|status| format!("&status={status}")).unwrap_or_default();
        let base = app.config.public_base();
        let link = format!("<{base}/api/v3/app/hook/deliveries?per_page={size}&cursor={last}{status}>; rel=\"next\"");
        response.headers_mut().extend(HeaderValue::try_from(link).map(|link| (header::LINK, link)));
    }
    Ok(response)
}

/// `GET /app/hook/deliveries/{id}`.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    the_app(&app, &headers)?;
    let all = app.outbox.tries().await?;
    let found = all.into_iter().find(|(_, outcome)| outcome.id == id);
    let (delivery, outcome) = found.ok_or_else(ApiError::not_found)?;
    let mut shown = short(&delivery, &outcome);
    shown["url"] = app.config.webhook_url.as_str().into();
    let payload: Value = serde_json::from_str(&delivery.body).unwrap_or_default();
    // The signature stays away: it is as good as a right one.
    let headers = json!({
        "Content-Type": "application/json",
        "X-GitHub-Event": delivery.event,
        "X-GitHub-Delivery": delivery.id,
    });
    shown["request"] = json!({ "headers": headers, "payload": payload });
    shown["response"] = json!({ "headers": {}, "payload": outcome.answer });
    Ok(Json(shown))
}

/// `POST /app/hook/deliveries/{id}/attempts`.
pub(super) async fn redeliver(
    State(app): State<Arc<App>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    the_app(&app, &headers)?;
    if app.outbox.redeliver(id).await? {
        Ok((StatusCode::ACCEPTED, Json(json!({}))).into_response())
    } else {
        Err(ApiError::not_found())
    }
}

fn short(delivery: &Delivery, outcome: &Outcome) -> Value {
    json!({
        "id": outcome.id,
        "guid": delivery.id,
        "delivered_at": time(outcome.at),
        "redelivery": outcome.redelivery,
        "duration": outcome.seconds,
        "status": outcome.status(),
        "status_code": outcome.code,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation,
        "repository_id": delivery.repository,
        "throttled_at": null,
    })
}
