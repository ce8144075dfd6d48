//! Repositories and owners that leave.

use sdk::audit::AuditEvent;
use sdk::event::PushEvent;
use sdk::garbage::{GarbageRequest, Scope};
use sdk::secrets::{Pruned, SecretsRequest};

use crate::setup::{Stage, names, push, sealed};

fn farewell(event: &PushEvent, repo: Scope) -> GarbageRequest {
    GarbageRequest {
        host: event.host.clone(),
        owner: event.owner.clone(),
        owner_id: event.owner_id,
        repo_id: matches!(repo, Scope::Repo(_)).then_some(event.repo_id),
        repo,
        former_owners: false,
        until: None,
        sha: None,
        actor: "alice".to_owned(),
        keep: Vec::new(),
    }
}

impl Stage {
    async fn withdraw(&self, request: GarbageRequest) -> Pruned {
        let (status, text) = self.ask(&SecretsRequest::Withdraw(request)).await;
        assert!(status.is_success(), "{text}");
        serde_json::from_str(&text).unwrap()
    }
}

#[tokio::test]
async fn a_repository_that_leaves_takes_its_own_secrets_along() {
    let stage = Stage::start().await;
    let (one, two) = (push("alice", "one"), push("alice", "two"));
    stage.import(&one, Some(&sealed("alice-a", &[("k", "v"), ("l", "v")])), &["b", "later"]).await;
    stage.import(&two, Some(&sealed("alice-b", &[("k", "v")])), &[]).await;
    let pruned = stage.withdraw(farewell(&one, Scope::Repo(one.repo.clone()))).await;
    assert_eq!(pruned, Pruned { removed: names(&["a"]), ..Pruned::default() });
    assert_eq!(stage.gateway.secret_names(), ["alice-b"]);
    let trail = stage.gateway.messages("audit-event");
    assert!(trail.iter().all(|event| event.read::<AuditEvent>().owner_id == Some(one.owner_id())), "{trail:?}");
    assert!(stage.trail().last().unwrap().contains("removed"), "{:?}", stage.trail());
    stage.import(&two, Some(&(sealed("alice-b", &[("k", "v")]) + &sealed("alice-later", &[("k", "v")]))), &[]).await;
    assert!(stage.pushes().is_empty(), "nothing of a repository that left is deployed");
}

#[tokio::test]
async fn an_owner_that_leaves_takes_everything_along_and_what_is_mounted_stays_until_it_is_not() {
    let stage = Stage::start().await;
    let (one, two, bob) = (push("alice", "one"), push("alice", "two"), push("bob", "one"));
    stage.import(&one, Some(&sealed("alice-a", &[("k", "v")])), &[]).await;
    stage.import(&two, Some(&sealed("alice-b", &[("k", "v")])), &[]).await;
    stage.import(&bob, Some(&sealed("bob-a", &[("k", "v")])), &[]).await;
    stage.deploy("fn", &two, &["alice-b"]);
    let pruned = stage.withdraw(farewell(&one, Scope::Everything)).await;
    assert_eq!((pruned.removed, pruned.in_use.len()), (names(&["a"]), 1));
    stage.deploy("fn", &two, &[]);
    assert_eq!(stage.withdraw(farewell(&one, Scope::Everything)).await.removed, names(&["b"]));
    assert_eq!(stage.gateway.secret_names(), ["bob-a"]);
}

#[tokio::test]
async fn former_owners_are_meant_by_the_repositorys_number() {
    let stage = Stage::start().await;
    let before = push("alice", "moved");
    stage.import(&before, Some(&sealed("alice-a", &[("k", "v")])), &[]).await;
    let after = PushEvent { repo_id: before.repo_id, ..push("bob", "moved") };
    stage.import(&after, Some(&sealed("bob-a", &[("k", "v")])), &[]).await;
    let request = GarbageRequest { former_owners: true, ..farewell(&after, Scope::Repo(after.repo.clone())) };
    assert_eq!(stage.withdraw(request).await.removed, names(&["a"]));
    assert_eq!(stage.gateway.secret_names(), ["bob-a"]);
}

#[tokio::test]
async fn a_late_farewell_leaves_what_came_after_it() {
    let stage = Stage::start().await;
    let event = push("alice", "one");
    stage.import(&event, Some(&sealed("alice-a", &[("k", "v")])), &[]).await;
    let request = GarbageRequest { until: Some(1000), ..farewell(&event, Scope::Everything) };
    assert_eq!(stage.withdraw(request).await, Pruned::default());
    assert_eq!(stage.gateway.secret_names(), ["alice-a"]);
}

#[tokio::test]
async fn what_is_no_farewell_is_refused() {
    let stage = Stage::start().await;
    let event = push("alice", "one");
    let one = || farewell(&event, Scope::Repo(event.repo.clone()));
    let bad = [
        GarbageRequest { keep: vec!["fn".parse().unwrap()], ..one() },
        GarbageRequest { owner_id: 0, ..one() },
        GarbageRequest { former_owners: true, repo_id: None, ..one() },
    ];
    for request in bad {
        assert_eq!(stage.ask(&SecretsRequest::Withdraw(request)).await.0, 400);
    }
}
