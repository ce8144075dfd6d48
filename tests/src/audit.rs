//! The audit trail.

use serde_json::Value;

use crate::log::Reader;
use crate::platform::Platform;
use crate::wait::until;

impl Platform {
    /// All lines of the audit trail.
    pub fn audit(&self) -> Vec<Value> {
        Reader::whole(&self.data().join("audit.jsonl")).lines().into_iter().map(|line| line.0).collect()
    }

    /// Waits for a line about this commit (or about none, where `sha` is empty) with these words in it.
    pub fn wait_for_audit(&self, sha: &str, words: &str) {
        let fits = |line: &Value| {
            line["sha"].as_str().unwrap_or_default() == sha
                && line["message"].as_str().is_some_and(|message| message.contains(words))
        };
        until(&format!("the audit trail has \"{words}\" about '{sha}'"), || self.audit().iter().any(fits));
    }
}
