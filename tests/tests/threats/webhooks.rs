//! What comes in by webhook, and what is reported.

use end_to_end::{Platform, Repository, login, platform, until};
use serde_json::{Value, json};

/// As small a push webhook as is understood.
pub(crate) fn push(platform: &Platform, repository: &Repository, reference: &str, sha: &str) -> Value {
    let services = platform.containers().into_iter().map(|container| container.function);
    let service = services.into_iter().find(|service| service.starts_with(repository.owner())).unwrap();
    let label = |name: &str| platform.label(&service, &format!("com.openfaas.cloud.{name}"));
    let owner_id: u64 = label("git-owner-id").parse().unwrap();
    json!({
        "ref": reference, "after": sha, "deleted": sha.bytes().all(|b| b == b'0'),
        "repository": {
            "id": 1, "name": repository.path().split_once('/').unwrap().1, "private": label("git-private") == "1",
            "default_branch": "main",
            "owner": {"id": owner_id, "login": repository.owner()},
        },
        "pusher": {"name": "somebody"},
    })
}

#[test]
fn s41_only_the_build_branch_itself_is_deployed() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    repository.deploy(&platform);
    let before = platform.containers();
    repository.write("a/answer", "evil");
    repository.commit("Evil");
    let pushed = repository.start_push(&platform, &["main:refs/heads/evil/main"]).wait();
    assert!(pushed.ok && pushed.says("skipping build for refs/heads/evil/main"), "{pushed}");
    let pushed = repository.start_push(&platform, &["main:refs/tags/main"]).wait();
    assert!(pushed.ok && !pushed.says("building"), "{pushed}");
    for (reference, sha) in [("refs/tags/main", repository.head()), ("refs/heads/main", "0".repeat(40))] {
        let answer = platform.signed_push(&push(&platform, &repository, reference, &sha));
        assert!(answer.status == 200 && answer.text.contains("nothing to do"), "{reference}: {}", answer.text);
    }
    assert_eq!(platform.get(repository.owner(), "/a").text, "one");
    assert_eq!(platform.containers(), before);
}

#[test]
fn s42_nothing_of_an_unsigned_webhook_is_repeated_anywhere() {
    let platform = platform!();
    let body = json!({"ref": "refs/heads/<script>loot</script>", "repository": {"owner": {"login": "loot"}}});
    let answer = platform.webhook("push", &body.to_string(), Some(&format!("sha256={}", "0".repeat(64))));
    assert_eq!(answer.status, 401);
    platform.wait_for_audit("", "the webhook's signature is wrong");
    let audit: String = platform.audit().iter().map(ToString::to_string).collect();
    let log: String = platform.log().iter().map(|line| line.0.to_string()).collect();
    assert!(!audit.contains("loot") && !log.contains("loot") && !answer.text.contains("loot"));
}

#[test]
fn s45_every_check_of_a_push_is_ended() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one"), ("b", "two")]);
    repository.deploy(&platform);
    let good = repository.head();
    repository.write("a/Dockerfile", "FROM debian:bookworm-slim\nRUN exit 1\n");
    let bad = repository.commit("Bad");
    repository.push(&platform);
    for sha in [&good, &bad] {
        until("every check is completed", || {
            let checks = platform.checks(&repository, sha);
            checks.len() == 3 && checks.values().all(|check| check.status == "completed")
        });
    }
    let log = &platform.checks(&repository, &bad)["a"];
    assert!(log.conclusion == "failure" && log.text.contains("RUN exit 1"), "{log:?}");
}
