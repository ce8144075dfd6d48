//! What comes in by webhook, and what is reported.

use end_to_end::{Answer, Platform, Repository, login, platform, until};
use sdk::signing::sha256_header;
use secrecy::SecretString;
use serde_json::{Value, json};

/// As small a push webhook as is understood.
pub(crate) fn push(platform: &Platform, repository: &Repository, reference: &str, sha: &str) -> Value {
    let services = platform.containers().into_iter().map(|container| container.function);
    let service = services.into_iter().find(|service| service.starts_with(repository.owner())).unwrap();
    let label = |name: &str| platform.label(&service, &format!("com.openfaas.cloud.{name}"));
    let owner_id: u64 = label("git-owner-id").parse().unwrap();
    let id: u64 = label("git-repo-id").parse().unwrap_or(1);
    json!({
        "ref": reference, "after": sha, "deleted": sha.bytes().all(|b| b == b'0'),
        "repository": {
            "id": id, "name": repository.path().split_once('/').unwrap().1, "private": label("git-private") == "1",
            "default_branch": "main",
            "owner": {"id": owner_id, "login": repository.owner()},
        },
        "pusher": {"name": "somebody"},
        // The host's number of an installation is its owner's.
        "installation": {"id": owner_id},
    })
}

/// A webhook that is signed as the host's are.
fn signed(platform: &Platform, event: &str, body: &Value) -> Answer {
    let (body, secret) = (body.to_string(), SecretString::from(platform.secret("github-webhook-secret")));
    platform.webhook(event, &body, Some(&sha256_header(&secret, body.as_bytes())))
}

#[test]
fn s23_a_webhook_that_is_sent_again_later_changes_nothing() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "app", &[("a", "one")]);
    repository.deploy(&platform);
    let first = push(&platform, &repository, "refs/heads/main", &repository.head());
    repository.write("a/answer", "two");
    repository.commit_and_push(&platform);
    let newest = repository.head();
    let answer = platform.signed_push(&first);
    assert_eq!(answer.status, 202, "{}", answer.text);
    platform.wait_for_audit(first["after"].as_str().unwrap(), &format!("superseded by {}", &newest[..7]));
    assert_eq!(platform.get(repository.owner(), "/a").text, "two");
    // A rollback that somebody asked for long ago comes again.
    let mut deployment = json!({"action": "created", "deployment": {
        "sha": first["after"], "task": "deploy", "environment": "production", "payload": {},
        "created_at": "2020-01-01T00:00:00Z", "creator": {"login": "somebody", "type": "User"},
    }});
    deployment["repository"] = first["repository"].clone();
    deployment["installation"] = first["installation"].clone();
    assert_eq!(signed(&platform, "deployment", &deployment).status, 202);
    let superseded = || {
        platform
            .audit()
            .iter()
            .filter(|line| line["message"].as_str().unwrap_or_default().starts_with("superseded"))
            .count()
    };
    until("the rollback is superseded", || superseded() == 2);
    assert_eq!(platform.get(repository.owner(), "/a").text, "two");
}

#[test]
fn s33_who_takes_over_a_login_is_not_its_tenant() {
    let platform = platform!();
    let alice = Repository::with(&login("alice"), "app", &[("a", "one")]);
    alice.deploy(&platform);
    // Somebody else has the login today, and a function whose name collides with none.
    alice.stack(&[("b", "")]);
    alice.function("b", "theirs");
    alice.commit("Theirs");
    let pushed = alice.start_push(&platform, &["main:refs/heads/theirs"]).wait();
    assert!(pushed.ok && pushed.says("skipping build"), "{pushed}");
    let mut body = push(&platform, &alice, "refs/heads/theirs", &alice.head());
    body["repository"]["default_branch"] = json!("theirs");
    body["repository"]["owner"]["id"] = json!(987_654);
    assert_eq!(platform.signed_push(&body).status, 202);
    platform.wait_for_audit(&alice.head(), "is held by someone else");
    assert_eq!(platform.get(alice.owner(), "/b").status, 404);
    assert_eq!(platform.get(alice.owner(), "/a").text, "one");
}

#[test]
fn s38_only_signed_webhooks_remove_and_only_what_is_theirs() {
    let platform = platform!();
    let alice = Repository::with(&login("alice"), "app", &[("a", "one")]);
    let other = Repository::with(alice.owner(), "other", &[("b", "two")]);
    let bob = Repository::with(&login("bob"), "app", &[("c", "three")]);
    for repository in [&alice, &other, &bob] {
        repository.deploy(&platform);
    }
    let label = |service: &str, name: &str| {
        platform.label(service, &format!("com.openfaas.cloud.{name}")).parse::<u64>().unwrap()
    };
    let (service, login) = (format!("{}-a", alice.owner()), alice.owner().to_owned());
    let (owner_id, repo_id) = (label(&service, "git-owner-id"), label(&service, "git-repo-id"));
    let account = json!({"id": owner_id, "login": login});
    let mut removed = json!({
        "action": "removed", "installation": {"id": 1, "account": account}, "sender": account,
        "repositories_added": [], "repositories_removed": [{"id": repo_id, "name": "app"}],
    });
    let uninstalled = json!({"action": "deleted", "installation": {"id": 1, "account": account}, "sender": account});
    for (event, body) in [("installation_repositories", &removed), ("installation", &uninstalled)] {
        assert_eq!(platform.webhook(event, &body.to_string(), None).status, 401);
    }
    // Another account's number, though the login is alice's, and another repository's that has its name.
    removed["installation"]["account"]["id"] = json!(987_654);
    assert_eq!(signed(&platform, "installation_repositories", &removed).status, 202);
    removed["installation"]["account"]["id"] = json!(owner_id);
    removed["repositories_removed"][0]["id"] = json!(987_655);
    assert_eq!(signed(&platform, "installation_repositories", &removed).status, 202);
    removed["repositories_removed"][0]["id"] = json!(repo_id);
    assert_eq!(signed(&platform, "installation_repositories", &removed).status, 202);
    until("the repository's function is gone", || platform.get(alice.owner(), "/a").status == 404);
    assert_eq!(platform.get(other.owner(), "/b").text, "two");
    let deletions = platform.audit().into_iter().filter(|line| line["source"] == "garbage-collect").collect::<Vec<_>>();
    assert_eq!(deletions.len(), 1, "{deletions:?}");
    assert!(deletions[0]["message"].as_str().unwrap().contains(&service) && deletions[0]["actor"] == login.as_str());
    assert_eq!(signed(&platform, "installation", &uninstalled).status, 202);
    until("the owner's functions are gone", || platform.get(other.owner(), "/b").status == 404);
    assert_eq!(platform.get(bob.owner(), "/c").text, "three");
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
        assert!(answer.status == 202 && answer.text.contains("nothing to do"), "{reference}: {}", answer.text);
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
