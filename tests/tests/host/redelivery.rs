//! Webhooks that did not arrive.

use end_to_end::{Platform, Pushed, Repository, login, platform};

use super::ofc;

/// Pushes while the platform refuses the owner's webhooks.
fn push_refused(platform: &Platform, repository: &Repository) -> Pushed {
    let list = platform.data().join("customers");
    let tenants = std::fs::read_to_string(&list).unwrap();
    let others: String =
        tenants.lines().filter(|line| *line != repository.owner()).map(|line| format!("{line}\n")).collect();
    std::fs::write(&list, others).unwrap();
    let pushed = repository.push(platform);
    assert!(pushed.ok && pushed.says("refused to deploy it"), "{pushed}");
    std::fs::write(&list, tenants).unwrap();
    pushed
}

#[test]
fn a_webhook_that_was_refused_is_delivered_when_it_is_asked_for() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one")]);
    repository.deploy(&platform);
    assert!(ofc(&platform, &["redeliver"]).contains("has arrived"));
    repository.write("a/answer", "two");
    let sha = repository.commit("Change");
    push_refused(&platform, &repository);
    let listed = ofc(&platform, &["redeliver", "--since", "10m", "--dry-run"]);
    assert!(listed.contains("push") && listed.contains("403") && !listed.contains("sent again"), "{listed}");
    let sent = ofc(&platform, &["redeliver", "--since", "10m"]);
    assert!(sent.contains("sent again"), "{sent}");
    platform.wait_for(repository.owner(), "a", "two");
    platform.wait_for_end(&repository, &sha, "success");
    assert!(ofc(&platform, &["redeliver"]).contains("has arrived"));
}

#[test]
fn a_webhook_that_was_missed_is_delivered_at_the_next_start() {
    let mut platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one")]);
    repository.deploy(&platform);
    repository.write("a/answer", "two");
    repository.commit("Change");
    push_refused(&platform, &repository);
    let (status, _) = platform.stop();
    assert!(status.success());
    platform.restart();
    platform.wait_for(repository.owner(), "a", "two");
}
