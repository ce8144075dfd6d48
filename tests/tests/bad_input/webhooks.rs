//! Webhooks that are not what they seem.

use sdk::signing::sha256_header;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::live::Live;

/// As small a push webhook as is understood.
fn push(live: &Live, sha: &str) -> Value {
    let service = format!("{}-a", live.repository.owner());
    let label = |name: &str| live.platform.label(&service, &format!("com.openfaas.cloud.{name}"));
    let owner_id: u64 = label("git-owner-id").parse().unwrap();
    json!({
        "ref": "refs/heads/main", "after": sha, "deleted": false,
        "repository": {
            "id": label("git-repo-id").parse::<u64>().unwrap(), "name": "app", "private": true, "default_branch": "main",
            "owner": {"id": owner_id, "login": live.repository.owner()},
        },
        "installation": {"id": owner_id},
        "pusher": {"name": "somebody"},
    })
}

#[test]
fn signatures_that_are_missing_wrong_or_for_something_else() {
    let live = Live::new();
    let body = push(&live, &live.repository.head()).to_string();
    let secret = SecretString::from(live.platform.secret("github-webhook-secret"));
    let other = sha256_header(&SecretString::from("other"), body.as_bytes());
    let changed = sha256_header(&secret, body.replace("main", "mean").as_bytes());
    let sha1 = format!("sha1={}", "0".repeat(40));
    for signature in [None, Some("sha256="), Some(sha1.as_str()), Some(other.as_str()), Some(changed.as_str())] {
        let answer = live.platform.webhook("push", &body, signature);
        assert_eq!(answer.status, 401, "{signature:?}");
        assert!(answer.text.contains("sign") && answer.text.lines().count() == 1, "{}", answer.text);
    }
    live.platform.wait_for_audit("", "webhook refused: the webhook is not signed");
    live.platform.wait_for_audit("", "webhook refused: the webhook's signature is wrong");
    live.is_untouched();
}

#[test]
fn a_webhook_that_is_replayed_changes_nothing() {
    let live = Live::new();
    let old = live.repository.head();
    assert_eq!(live.platform.signed_push(&push(&live, &old)).status, 202, "the newest again");
    let again = |line: &end_to_end::Line| line.message() == "push finished" && line.field("ok").is_none();
    live.platform.watch_log(|| live.platform.signed_push(&push(&live, &old)), again);
    live.is_untouched();

    live.repository.write("a/answer", "newer");
    let pushed = live.repository.commit_and_push(&live.platform);
    assert!(pushed.ok, "{pushed}");
    live.platform.wait_for_containers(&[&format!("{}-a", live.repository.owner())]);
    let before = live.platform.containers();
    live.platform.watch_log(|| live.platform.signed_push(&push(&live, &old)), again);
    assert_eq!(live.platform.get(live.repository.owner(), "/a").text, "newer", "an old push stays in the past");
    assert_eq!(live.platform.containers(), before);
}

#[test]
fn an_unknown_commit_is_said_to_be_unknown() {
    let live = Live::new();
    let unknown = "ab".repeat(20);
    assert_eq!(live.platform.signed_push(&push(&live, &unknown)).status, 202);
    live.platform.wait_for_audit(&unknown, &format!("the commit abababa is not in {}", live.repository.path()));
    live.is_untouched();
}

#[test]
fn bodies_that_are_no_push() {
    let live = Live::new();
    let secret = SecretString::from(live.platform.secret("github-webhook-secret"));
    let mut no_owner = push(&live, &live.repository.head());
    no_owner["repository"]["owner"]["id"] = json!(0);
    let mut bad_branch = push(&live, &live.repository.head());
    bad_branch["ref"] = json!("refs/heads/a b");
    for body in ["{}".to_owned(), "not JSON".to_owned(), no_owner.to_string(), bad_branch.to_string()] {
        let answer = live.platform.webhook("push", &body, Some(&sha256_header(&secret, body.as_bytes())));
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(answer.text.starts_with("the webhook is not understood: "), "{}", answer.text);
    }
    let mut stranger = push(&live, &live.repository.head());
    stranger["repository"]["owner"]["login"] = json!("stranger");
    let answer = live.platform.signed_push(&stranger);
    assert_eq!((answer.status, answer.text.contains("is not on the tenant list")), (403, true), "{}", answer.text);
    live.platform.wait_for_audit(&live.repository.head(), "'stranger' is not on the tenant list");
    live.is_untouched();
}
