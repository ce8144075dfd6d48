//! The webhooks that GitHub has sent to the App, and asking for one again.
//!
//! <https://docs.github.com/en/rest/apps/webhooks>. GitHub keeps deliveries for three days and never sends one again by itself.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use http::Method;
use serde::Deserialize;

use crate::app::App;
use crate::call::Call;
use crate::error::GithubError;

/// Deliveries of one page; GitHub gives no more.
const PAGE: u32 = 100;
/// So many pages are read at most: 50,000 deliveries.
const MAX_PAGES: usize = 500;

/// One attempt to deliver a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Delivery {
    /// The attempt's number, by which it is asked for again.
    pub id: u64,
    /// The webhook's id, the same in all its attempts: `X-GitHub-Delivery`.
    pub guid: String,
    /// When it was sent.
    pub delivered_at: DateTime<Utc>,
    /// True for an attempt that somebody asked for.
    #[serde(default)]
    pub redelivery: bool,
    /// What GitHub says about it, such as `OK` or `timed out`.
    pub status: String,
    /// The answer's status; 0 where there was none.
    pub status_code: u16,
    /// The kind, such as `push`.
    pub event: String,
    /// What happened, for kinds that have several.
    #[serde(default)]
    pub action: Option<String>,
}

impl Delivery {
    /// True if it was taken.
    pub fn arrived(&self) -> bool {
        (200..300).contains(&self.status_code)
    }
}

/// Some deliveries, the newest first.
#[derive(Debug, Clone)]
pub struct DeliveryPage {
    /// The deliveries.
    pub deliveries: Vec<Delivery>,
    /// What gives the next page.
    pub next: Option<String>,
}

impl App {
    /// One page of deliveries, the newest first; of the newest ones without a cursor.
    ///
    /// # Errors
    /// As [`crate::Api::send`].
    pub async fn deliveries(&self, cursor: Option<&str>) -> Result<DeliveryPage, GithubError> {
        let mut call = Call::new("the list of webhook deliveries", Method::GET, ["app", "hook", "deliveries"])
            .query("per_page", PAGE.to_string());
        if let Some(cursor) = cursor {
            call = call.query("cursor", cursor);
        }
        let answer = self.api().send(&call, &self.jwt()?, 0).await?;
        Ok(DeliveryPage { deliveries: answer.json()?, next: answer.next_page("cursor") })
    }

    /// Webhooks sent since then of which no attempt arrived: the last attempt of each, the oldest webhook first.
    ///
    /// # Errors
    /// As [`App::deliveries`].
    pub async fn missed_since(&self, since: DateTime<Utc>) -> Result<Vec<Delivery>, GithubError> {
        let (mut newest, mut arrived, mut cursor) = (Vec::<Delivery>::new(), HashSet::new(), None);
        let mut known = HashSet::new();
        for _ in 0..MAX_PAGES {
            let page = self.deliveries(cursor.as_deref()).await?;
            let all = page.deliveries.len();
            let in_time: Vec<_> = page.deliveries.into_iter().filter(|d| d.delivered_at >= since).collect();
            let end = in_time.len() < all || page.next.is_none() || page.next == cursor;
            for delivery in in_time {
                if delivery.arrived() {
                    arrived.insert(delivery.guid.clone());
                }
                if known.insert(delivery.guid.clone()) {
                    newest.push(delivery);
                }
            }
            cursor = page.next;
            if end {
                break;
            }
        }
        let mut missed = newest;
        missed.retain(|delivery| !arrived.contains(&delivery.guid));
        missed.reverse();
        Ok(missed)
    }

    /// Asks GitHub to send a webhook again.
    ///
    /// # Errors
    /// As [`crate::Api::send`]: 404 for one that GitHub does not keep any more.
    pub async fn redeliver(&self, delivery: u64) -> Result<(), GithubError> {
        let number = delivery.to_string();
        let path = ["app", "hook", "deliveries", &number, "attempts"];
        let call = Call::new("a request to deliver a webhook again", Method::POST, path);
        self.api().send(&call, &self.jwt()?, 0).await.map(drop)
    }
}
