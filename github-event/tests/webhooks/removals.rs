//! Owners and repositories that go, and what happens to them otherwise.

use std::collections::HashSet;

use http::StatusCode;
use sdk::garbage::Scope;
use serde_json::{Value, json};

use crate::setup::{DELIVERY, sample, setup};

const INSTALLATIONS: &str = include_str!("../data/published/installation.jsonl");
const LISTS: &str = include_str!("../data/published/installation_repositories.jsonl");
const REPOSITORIES: &str = include_str!("../data/published/repository.jsonl");

/// When the delivery was sent first, and as much more as clocks may differ.
const SENT: u64 = 1_398_430_344 + 300;

fn uninstalled() -> Value {
    sample(INSTALLATIONS, |installation| installation["action"] == "deleted")
}

fn removed() -> Value {
    sample(LISTS, |list| list["action"] == "removed")
}

fn repository(action: &str) -> Value {
    let mut repository = sample(REPOSITORIES, |repository| repository["action"] == "transferred");
    repository["action"] = action.into();
    repository
}

#[tokio::test]
async fn an_uninstall_removes_all_of_the_owner_even_when_it_is_no_tenant_any_more() {
    let setup = setup(&[]).await;
    let (status, text) = setup.post("installation", &uninstalled()).await;
    let sentence = "the app was uninstalled: all functions are removed\n";
    assert_eq!((status, text.as_str()), (StatusCode::ACCEPTED, sentence));
    let messages = setup.gateway.messages("garbage-collect");
    assert_eq!((messages.len(), messages[0].queued, messages[0].call.as_str()), (1, true, DELIVERY));
    let removal = &setup.removals()[0];
    assert_eq!((removal.host.as_str(), removal.owner.as_str(), removal.owner_id), ("github.com", "octocat", 1));
    assert_eq!((&removal.repo, removal.repo_id, removal.until), (&Scope::Everything, None, Some(SENT)));
    assert_eq!((removal.actor.as_str(), removal.keep.len()), ("octocat", 0));
    assert!(setup.gateway.messages("audit-event").is_empty(), "strangers do not write into the trail");
}

#[tokio::test]
async fn a_tenants_uninstall_is_in_the_trail() {
    let setup = setup(&[]).await;
    setup.list_tenants("octocat");
    assert_eq!(setup.post("installation", &uninstalled()).await.0, StatusCode::ACCEPTED);
    let audit = setup.first_audit().await;
    assert_eq!(audit.message, "the app was uninstalled: all functions are removed");
    assert_eq!((audit.owner.as_str(), audit.actor.as_str(), audit.call_id.as_str()), ("octocat", "octocat", DELIVERY));
    assert_eq!(audit.owner_id.unwrap().id, 1);
}

#[tokio::test]
async fn a_note_of_who_only_has_a_tenants_login_is_in_no_tenants_trail() {
    let setup = setup(&[]).await;
    setup.list_tenants("octocat github.com/2");
    assert_eq!(setup.post("installation", &uninstalled()).await.0, StatusCode::ACCEPTED);
    assert_eq!(setup.first_audit().await.owner_id, None);
}

#[tokio::test]
async fn repositories_that_are_taken_away_are_removed_one_by_one_and_a_redelivery_is_the_same() {
    let setup = setup(&[]).await;
    let mut list = removed();
    list["repositories_removed"] = json!([
        {"id": 11, "name": "first", "full_name": "octocat/first", "private": false},
        {"id": 12, "name": ".github", "full_name": "octocat/.github", "private": false},
        {"id": 13, "name": "third", "full_name": "octocat/third", "private": true},
    ]);
    for _ in 0..2 {
        let (status, text) = setup.post("installation_repositories", &list).await;
        let sentence = "the app may no longer use first, third: functions are removed\n";
        assert_eq!((status, text.as_str()), (StatusCode::ACCEPTED, sentence));
    }
    let calls: HashSet<_> = setup.gateway.messages("garbage-collect").into_iter().map(|message| message.call).collect();
    assert_eq!(calls, [format!("{DELIVERY}.11"), format!("{DELIVERY}.13")].into());
    let removals = setup.removals();
    assert_eq!(removals.len(), 2);
    assert_eq!(removals[0].repo_id.map(|id| (id, removals[0].repo.to_string())), Some((11, "first".to_owned())));
    assert_eq!((removals[0].owner_id, removals[0].until), (1, Some(SENT)));
}

#[tokio::test]
async fn thousands_of_repositories_become_as_many_messages_and_more_are_refused() {
    let setup = setup(&[]).await;
    let mut list = removed();
    let entry =
        |id: u64| json!({"id": id, "name": format!("r{id}"), "full_name": format!("octocat/r{id}"), "private": false});
    list["repositories_removed"] = (1..=3000).map(entry).collect();
    let (status, text) = setup.post("installation_repositories", &list).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert!(text.contains("r1, r2, ") && text.contains(" and 2990 more"), "{text}");
    assert_eq!(setup.removals().into_iter().filter_map(|removal| removal.repo_id).collect::<HashSet<_>>().len(), 3000);
    list["repositories_removed"] = (1..=10_001).map(entry).collect();
    let (status, text) = setup.post("installation_repositories", &list).await;
    let sentence = "the webhook is not understood: repositories_removed: has over 10000 repositories\n";
    assert_eq!((status, text.as_str()), (StatusCode::BAD_REQUEST, sentence));
}

#[tokio::test]
async fn a_list_that_the_queue_takes_in_part_is_sent_again_whole() {
    let setup = setup(&[]).await;
    let mut list = removed();
    list["repositories_removed"] = (1..=20).map(|id| json!({"id": id, "name": format!("r{id}")})).collect();
    setup.gateway.refuse_next("POST /async-function/garbage-collect", StatusCode::INSUFFICIENT_STORAGE, "disk full");
    assert_eq!(setup.post("installation_repositories", &list).await.0, StatusCode::BAD_GATEWAY);
    assert_eq!(setup.post("installation_repositories", &list).await.0, StatusCode::ACCEPTED);
    assert_eq!(setup.removals().len(), 20);
}

#[tokio::test]
async fn a_deleted_repository_is_removed_and_only_it() {
    let setup = setup(&[]).await;
    let (status, text) = setup.post("repository", &repository("deleted")).await;
    let sentence = "the repository was deleted: its functions are removed\n";
    assert_eq!((status, text.as_str()), (StatusCode::ACCEPTED, sentence));
    let removal = &setup.removals()[0];
    assert_eq!((removal.owner.as_str(), removal.owner_id), ("octocoders", 38_302_899));
    assert_eq!((removal.repo.to_string(), removal.repo_id), ("Hello-World".to_owned(), Some(186_853_261)));
    let audit = setup.first_audit().await;
    assert_eq!(
        (audit.owner.as_str(), audit.repo.as_str(), audit.actor.as_str()),
        ("octocoders", "Hello-World", "Codertocat")
    );
}

#[tokio::test]
async fn a_transferred_repository_is_removed_from_its_former_owner() {
    for former in ["user", "organization"] {
        let setup = setup(&[]).await;
        let mut transferred = repository("transferred");
        transferred["changes"]["owner"]["from"] = json!({former: {"login": "octocat", "id": 1}});
        let (status, text) = setup.post("repository", &transferred).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        assert!(text.starts_with("the repository was transferred to Octocoders: "), "{text}");
        let removal = &setup.removals()[0];
        assert_eq!((removal.owner.as_str(), removal.owner_id, removal.repo_id), ("octocat", 1, Some(186_853_261)));
    }
    let setup = setup(&[]).await;
    let mut same = repository("transferred");
    same["changes"]["owner"]["from"]["user"]["id"] = 38_302_899.into();
    assert_eq!(setup.post("repository", &same).await.0, StatusCode::ACCEPTED);
    assert!(setup.nothing_was_queued(), "an owner that only changed its login");
    same["changes"] = Value::Null;
    let (status, text) = setup.post("repository", &same).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("changes.owner.from: names neither"), "{text}");
}

#[tokio::test]
async fn a_repository_that_is_renamed_hidden_or_archived_keeps_its_functions() {
    let setup = setup(&[]).await;
    for (action, said) in [
        ("renamed", "was renamed: its functions stay"),
        ("privatized", "is private now"),
        ("publicized", "is public now"),
        ("archived", "was archived: its functions stay"),
        ("unarchived", "is no longer archived"),
        ("edited", "repository edited: not acted on"),
    ] {
        let (status, text) = setup.post("repository", &repository(action)).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        assert!(text.contains(said), "{text}");
    }
    assert!(setup.nothing_was_queued());
    assert_eq!(setup.gateway.messages("audit-event").len(), 5, "what happens to a tenant's repository is in the trail");
}

#[tokio::test]
async fn a_delivery_whose_id_has_no_time_in_it_leaves_out_nothing() {
    let setup = setup(&[]).await;
    let body = uninstalled().to_string();
    let signature = sdk::signing::sha256_header(&"now".into(), body.as_bytes());
    let request =
        http::Request::post("/").header("x-github-event", "installation").header("x-hub-signature-256", signature);
    assert_eq!(setup.send(request, body).await.0, StatusCode::ACCEPTED);
    assert_eq!(setup.removals()[0].until, None);
}

#[tokio::test]
async fn an_enterprises_installation_is_nobodys() {
    let setup = setup(&[]).await;
    let mut enterprise = uninstalled();
    enterprise["installation"]["account"] = json!({"id": 5, "slug": "acme"});
    let (status, text) = setup.post("installation", &enterprise).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert!(text.contains("has no login that can be an owner's here"), "{text}");
    assert!(setup.nothing_was_queued());
}
