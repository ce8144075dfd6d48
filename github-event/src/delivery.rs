//! Which delivery a webhook is. GitHub sends one again under the same id: by itself when asked to, days later even.

use http::HeaderMap;
use sdk::call::CallId;
use uuid::Uuid;

const HEADER: &str = "x-github-delivery";
/// GitHub's clock and this platform's may be so far apart, in seconds.
const SKEW: u64 = 300;
/// An id that is made of a delivery's has room for a number behind it.
const MAX_ROOT: usize = 100;

/// The delivery's id, which is the call's: what is sent again while the first one waits is the same job.
#[derive(Debug)]
pub(crate) struct Delivery {
    call: CallId,
    sent: Option<u64>,
}

impl Delivery {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
        let sent = given.and_then(|id| Uuid::parse_str(id).ok()).and_then(|id| seconds(&id));
        Self { call: given.and_then(CallId::parse).unwrap_or_else(CallId::random), sent }
    }

    pub(crate) fn call(&self) -> &CallId {
        &self.call
    }

    /// The id of the message about one of the delivery's repositories: the same whenever the delivery comes.
    pub(crate) fn part(&self, repository: u64) -> CallId {
        let root: String = self.call.to_string().chars().take(MAX_ROOT).collect();
        CallId::parse(&format!("{root}.{repository}")).unwrap_or_else(CallId::random)
    }

    /// What was deployed after this second, the delivery cannot mean. Nothing is known where its id has no time in it.
    pub(crate) fn until(&self) -> Option<u64> {
        self.sent.map(|sent| sent.saturating_add(SKEW))
    }
}

/// When a time-based UUID (RFC 9562) was made, as GitHub's ids are; another kind tells nothing.
fn seconds(id: &Uuid) -> Option<u64> {
    id.get_timestamp().map(|time| time.to_unix().0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(id: &str) -> Delivery {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, id.parse().unwrap());
        Delivery::of(&headers)
    }

    #[test]
    fn githubs_ids_tell_when_a_webhook_was_sent_first() {
        // The id that GitHub's documentation shows, of 25 April 2014, 12:52:24 UTC.
        let documented = delivery("72d3162e-cc78-11e3-81ab-4c9367dc0958");
        assert_eq!(documented.until(), Some(1_398_430_344 + SKEW));
        assert_eq!(documented.call().to_string(), "72d3162e-cc78-11e3-81ab-4c9367dc0958");
        assert_eq!(documented.part(7).to_string(), "72d3162e-cc78-11e3-81ab-4c9367dc0958.7");
    }

    #[test]
    fn other_ids_tell_nothing_and_are_used_as_far_as_they_can_be() {
        assert_eq!(delivery("4a6f7d1c-6d3f-4a0e-9b57-0d9a5a4f1e21").until(), None);
        assert_eq!(delivery("burst-7").call().to_string(), "burst-7");
        assert_ne!(delivery("no id").call().to_string(), "no id");
        let long = "x".repeat(128);
        assert_eq!(delivery(&long).part(u64::MAX).to_string().len(), MAX_ROOT + 21);
        assert_eq!(Delivery::of(&HeaderMap::new()).until(), None);
    }
}
