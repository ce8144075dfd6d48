//! Rule 7: of two repositories with the same secret, the first keeps it.

use crate::setup::{Stage, push, sealed};

#[tokio::test]
async fn the_second_repository_is_told_who_holds_it() {
    let stage = Stage::start().await;
    let (first, second) = (push("alice", "first"), push("alice", "second"));
    stage.import(&first, Some(&sealed("alice-db", &[("k", "first's")])), &[]).await;
    let both = sealed("alice-new", &[("k", "v")]) + &sealed("alice-db", &[("k", "second's")]);
    let (status, text) = stage.refused(&second, &both).await;
    assert_eq!(status, 409);
    insta::assert_snapshot!(text, @"the secret alice-db is held by repository first: rename it or remove it there");
    assert_eq!(stage.value("alice-db").as_deref(), Some("first's"));
    assert_eq!(stage.gateway.secret_names(), ["alice-db"]);
    // Nor does an empty file of the second one take anything away.
    stage.import(&second, None, &[]).await;
    assert!(stage.prune(&second).await.removed.is_empty());
    assert_eq!(stage.gateway.secret_names(), ["alice-db"]);
}

#[tokio::test]
async fn a_renamed_repository_is_the_same_one_and_another_of_its_name_is_not() {
    let stage = Stage::start().await;
    let first = push("alice", "first");
    stage.import(&first, Some(&sealed("alice-db", &[("k", "one")])), &[]).await;
    let renamed = sdk::event::PushEvent { repo: "renamed".parse().unwrap(), ..first.clone() };
    stage.import(&renamed, Some(&sealed("alice-db", &[("k", "two")])), &[]).await;
    let new = sdk::event::PushEvent { repo_id: first.repo_id + 1, ..first };
    let (status, text) = stage.refused(&new, &sealed("alice-db", &[("k", "three")])).await;
    assert_eq!(status, 409);
    assert!(text.contains("held by repository renamed"), "{text}");
    assert_eq!(stage.value("alice-db").as_deref(), Some("two"));
}

#[tokio::test]
async fn what_the_first_gives_up_the_second_may_have_though_functions_still_mount_it() {
    let stage = Stage::start().await;
    let (first, second) = (push("alice", "first"), push("alice", "second"));
    let file = sealed("alice-db", &[("k", "v")]);
    stage.import(&first, Some(&file), &[]).await;
    stage.deploy("fn", &push("alice", "app"), &["alice-db"]);
    stage.import(&first, None, &[]).await;
    assert_eq!(stage.prune(&first).await.in_use.len(), 1);
    stage.import(&second, Some(&file), &[]).await;
    assert_eq!(stage.prune(&first).await, Default::default());
    assert_eq!(stage.prune(&second).await, Default::default());
    assert_eq!(stage.refused(&first, &file).await.0, 409);
    assert_eq!(stage.value("alice-db").as_deref(), Some("v"));
}
