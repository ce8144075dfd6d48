//! A webhook, and what came of sending it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// One webhook as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) id: Uuid,
    pub(crate) event: String,
    pub(crate) created_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) installation: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) repository: Option<u64>,
    pub(crate) body: String,
}

impl Delivery {
    /// A webhook with an identity of its own.
    pub(crate) fn new(event: &str, body: &Value) -> Self {
        Self {
            id: Uuid::new_v4(),
            event: event.to_owned(),
            created_at: Utc::now(),
            action: body["action"].as_str().map(str::to_owned),
            installation: body["installation"]["id"].as_u64(),
            repository: body["repository"]["id"].as_u64(),
            body: body.to_string(),
        }
    }
}

/// How one try to send a webhook ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// The try's own number.
    pub(crate) id: u64,
    pub(crate) at: DateTime<Utc>,
    /// The status of the answer; 0 where there was none.
    pub(crate) code: u16,
    /// How long the answer took, in seconds.
    pub(crate) seconds: f64,
    /// True if somebody asked for this try.
    #[serde(default)]
    pub(crate) redelivery: bool,
    /// The beginning of the answer.
    #[serde(default)]
    pub(crate) answer: String,
}

impl Outcome {
    /// True if the webhook was taken.
    pub(crate) fn is_good(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// In GitHub's words.
    pub(crate) fn status(&self) -> String {
        match self.code {
            0 => "failed to connect to host".to_owned(),
            code if (200..300).contains(&code) => "OK".to_owned(),
            code => format!("Invalid HTTP Response: {code}"),
        }
    }
}

/// What became of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Not taken yet; the reason of the last failed try, if there was one.
    Waiting(Option<String>),
    /// Taken.
    Delivered,
    /// Refused for good, in the receiver's words.
    Refused(String),
}
