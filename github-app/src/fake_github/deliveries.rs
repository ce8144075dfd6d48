//! Webhook deliveries of the App.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Value, json};

use super::routes::{Asked, Reply, ok};
use super::{FakeGithub, Kept};

/// A delivery for a test to look at.
#[derive(Debug, Clone)]
pub struct NewDelivery<'a> {
    /// The webhook's id.
    pub guid: &'a str,
    /// When it was sent.
    pub at: DateTime<Utc>,
    /// The answer's status; 0 for none.
    pub status_code: u16,
    /// The kind of the event.
    pub event: &'a str,
}

impl FakeGithub {
    /// Adds an attempt to deliver a webhook, the newest of all; returns its number.
    pub fn add_delivery(&self, delivery: &NewDelivery<'_>) -> u64 {
        let mut kept = self.kept();
        let id = kept.next_id();
        let again = kept.deliveries.iter().any(|known| known["guid"] == *delivery.guid);
        kept.deliveries.push(json!({
            "id": id, "guid": delivery.guid, "delivered_at": delivery.at.to_rfc3339(), "redelivery": again, "duration": 0.1,
            "status": if delivery.status_code == 0 { "timed out" } else { "OK" }, "status_code": delivery.status_code,
            "event": delivery.event, "action": null,
        }));
        id
    }

    /// The deliveries that somebody asked for again, by number.
    pub fn redelivered(&self) -> Vec<u64> {
        let kept = self.kept();
        kept.deliveries.iter().filter_map(|delivery| delivery["_again_of"].as_u64()).collect()
    }
}

/// The newest first, in pages; a cursor is the number of a page's first delivery.
pub(super) fn list(kept: &mut Kept, asked: &Asked<'_>) -> Reply {
    asked.bearer.is_app()?;
    let size: usize = asked.parameter("per_page").and_then(|number| number.parse().ok()).unwrap_or(30);
    let first: u64 = asked.parameter("cursor").and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
    let mut rest = kept.deliveries.iter().rev().filter(|delivery| delivery["id"].as_u64() <= Some(first));
    let page: Vec<Value> = rest.by_ref().take(size).map(shown).collect();
    let next = rest.next().map(|delivery| format!("per_page={size}&cursor={}", delivery["id"]));
    Ok((StatusCode::OK, page.into(), next))
}

fn shown(delivery: &Value) -> Value {
    let mut shown = delivery.clone();
    shown.as_object_mut().map(|shown| shown.remove("_again_of"));
    shown
}

pub(super) fn again(kept: &mut Kept, asked: &Asked<'_>) -> Reply {
    asked.bearer.is_app()?;
    let id: u64 = asked.path[3].parse().unwrap_or_default();
    let known = kept.deliveries.iter().find(|delivery| delivery["id"] == json!(id)).cloned();
    let mut again = known.ok_or((StatusCode::NOT_FOUND, "Not Found"))?;
    again["id"] = json!(kept.next_id());
    again["_again_of"] = json!(id);
    again["redelivery"] = json!(true);
    again["status_code"] = json!(202);
    kept.deliveries.push(again);
    let (_, body, _) = ok(json!({}))?;
    Ok((StatusCode::ACCEPTED, body, None))
}
