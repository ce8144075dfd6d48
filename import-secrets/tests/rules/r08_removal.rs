//! Rule 8: what is removed from the file is removed from the stage, unless a function still uses it.

use sdk::secrets::{Done, Prune, Pruned, SecretsRequest};

use crate::setup::{Stage, name, names, push, sealed};

#[tokio::test]
async fn a_document_that_is_gone_is_removed_at_the_end_of_the_push() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    let keep = sealed("alice-keep", &[("k", "v")]);
    let file = sealed("alice-db", &[("a", "1"), ("b", "2")]) + &keep;
    stage.import(&event, Some(&file), &[]).await;
    let known = stage.import(&event, Some(&keep), &[]).await;
    assert_eq!(known.done, Done { unchanged: 1, leaving: 1, keys: 1, ..Done::default() });
    assert_eq!(stage.gateway.secret_names().len(), 3, "functions may still mount it");
    assert_eq!(stage.prune(&event).await, Pruned { removed: names(&["db"]), ..Pruned::default() });
    assert_eq!(stage.gateway.secret_names(), ["alice-keep"]);
    assert_eq!(stage.prune(&event).await, Pruned::default(), "and again nothing");
    assert!(stage.record(event.owner_id)["secrets"].get("db").is_none());
}

#[tokio::test]
async fn a_secret_in_use_stays_and_its_repository_is_told_by_whom() {
    let stage = Stage::start().await;
    let (secrets, app) = (push("alice", "secrets"), push("alice", "app"));
    stage.import(&secrets, Some(&sealed("alice-db", &[("k", "v")])), &[]).await;
    stage.deploy("fn", &app, &["alice-db"]);
    stage.import(&secrets, None, &[]).await;
    let pruned = stage.prune(&secrets).await;
    assert_eq!(pruned.in_use, [(name("db"), vec!["alice-fn".to_owned()])].into());
    assert_eq!(stage.prune(&app).await, Pruned::default(), "another repository's push does not fail for it");
    assert_eq!(stage.value("alice-db").as_deref(), Some("v"));
    assert!(stage.import(&app, None, &["db"]).await.missing.is_empty(), "it can still be deployed");
    // As soon as nobody mounts it, whoever pushes ends it.
    stage.deploy("fn", &app, &[]);
    assert_eq!(stage.prune(&app).await.removed, names(&["db"]));
    assert!(stage.gateway.secret_names().is_empty());
}

#[tokio::test]
async fn a_key_that_is_gone_is_removed_when_no_function_lists_it() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    let all = [("a", "1"), ("b", "2"), ("c", "3")];
    stage.import(&event, Some(&sealed("alice-db", &all)), &[]).await;
    let known = stage.import(&event, Some(&sealed("alice-db", &all[..2])), &[]).await;
    assert_eq!(known.done.updated, 1);
    stage.deploy("fn", &push("alice", "app"), &["alice-db.c"]);
    stage.prune(&event).await;
    assert!(stage.value("alice-db.c").is_some());
    stage.deploy("fn", &push("alice", "app"), &["alice-db.a"]);
    stage.prune(&event).await;
    assert_eq!(stage.gateway.secret_names(), ["alice-db.a", "alice-db.b"]);
}

#[tokio::test]
async fn a_push_without_file_and_wishes_needs_no_import() {
    let stage = Stage::start().await;
    let event = push("alice", "app");
    stage.import(&event, Some(&sealed("alice-db", &[("k", "v")])), &["later"]).await;
    let bare = SecretsRequest::Prune(Prune { event: event.clone(), bare: true });
    let (_, text) = stage.ask(&bare).await;
    assert_eq!(serde_json::from_str::<Pruned>(&text).unwrap().removed, names(&["db"]));
    assert!(stage.gateway.secret_names().is_empty());
    stage.import(&push("alice", "secrets"), Some(&sealed("alice-later", &[("k", "v")])), &[]).await;
    assert!(stage.pushes().is_empty(), "it waits for nothing any more");
}

#[tokio::test]
async fn what_comes_back_before_it_is_gone_stays() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    let file = sealed("alice-db", &[("k", "v")]);
    stage.import(&event, Some(&file), &[]).await;
    stage.import(&event, None, &[]).await;
    assert_eq!(stage.import(&event, Some(&file), &[]).await.done.unchanged, 1);
    assert_eq!(stage.prune(&event).await, Pruned::default());
    assert_eq!(stage.value("alice-db").as_deref(), Some("v"));
}

#[tokio::test]
async fn a_removal_that_fails_is_repeated() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    stage.import(&event, Some(&sealed("alice-db", &[("k", "v")])), &[]).await;
    stage.import(&event, None, &[]).await;
    stage.gateway.refuse_next("DELETE /system/secrets", http::StatusCode::BAD_GATEWAY, "");
    let (status, _) = stage.ask(&SecretsRequest::Prune(Prune { event: event.clone(), bare: false })).await;
    assert_eq!(status, 502);
    stage.prune(&event).await;
    assert!(stage.gateway.secret_names().is_empty());
}
