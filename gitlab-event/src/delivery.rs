//! Which delivery a webhook is: what is sent again while the first one waits is the same job.

use http::HeaderMap;
use sdk::call::CallId;
use sha2::{Digest, Sha256};

/// Stays when GitLab (17.4 or later) sends a webhook again.
const KEY: &str = "idempotency-key";
/// Shared by all webhooks of what caused them: two branches in one push are two webhooks under one id.
const CAUSE: &str = "x-gitlab-event-uuid";
/// Another one each time.
const ATTEMPT: &str = "x-gitlab-webhook-uuid";
/// An id that is made of another has room for a digest behind it.
const MAX_ROOT: usize = 100;

/// The delivery's id as the call's.
pub(crate) fn call(headers: &HeaderMap, body: &[u8]) -> CallId {
    let id = |name: &str| headers.get(name)?.to_str().ok().and_then(CallId::parse);
    let caused = || {
        let root: String = id(CAUSE)?.to_string().chars().take(MAX_ROOT).collect();
        CallId::parse(&format!("{root}.{}", &hex::encode(Sha256::digest(body))[..12]))
    };
    id(KEY).or_else(caused).or_else(|| id(ATTEMPT)).unwrap_or_else(CallId::random)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &str)], body: &str) -> String {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect();
        call(&headers, body.as_bytes()).to_string()
    }

    #[test]
    fn the_most_stable_id_is_taken() {
        let all = [(KEY, "key-1"), (CAUSE, "cause-1"), (ATTEMPT, "attempt-1")];
        assert_eq!(of(&all, "{}"), "key-1");
        assert_eq!(of(&all[1..], "{}"), of(&all[1..2], "{}"));
        assert_ne!(of(&all[1..], "{}"), of(&all[1..], "[]"), "two webhooks of one push");
        assert_eq!(of(&all[2..], "{}"), "attempt-1");
        assert_ne!(of(&[], "{}"), of(&[], "{}"));
        assert_ne!(of(&[(KEY, "no id")], "{}"), "no id");
        assert!(of(&[(CAUSE, &"x".repeat(128))], "").len() <= 128);
    }
}
