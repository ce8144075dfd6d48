//! A cluster that fails in the middle keeps the old state, and has the new one at the next try.

use std::collections::BTreeSet;

use http::Method;
use sdk::secrets::{Prune, SecretsRequest};

use crate::setup::{NAMESPACE, document, foreign_key, names, push, sealed, sealed_to};
use crate::stage::InCluster;

fn ten(value: &str) -> String {
    (0..10).map(|n| sealed(&format!("alice-s{n}"), &[("k", value)])).collect()
}

fn values(stage: &InCluster) -> BTreeSet<String> {
    (0..10).map(|n| stage.cluster.values(&format!("alice-s{n}")).unwrap()["k"].clone()).collect()
}

#[tokio::test]
async fn what_is_sealed_for_another_stage_changes_nothing() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    stage.import(&event, Some(&sealed("alice-db", &[("k", "works")])), &[]).await;
    let foreign = sealed_to(foreign_key().certificate(), NAMESPACE, "alice-db", &[("k", "other")]);
    let (status, text) = stage.refused(&event, &(sealed("alice-new", &[("k", "v")]) + &foreign)).await;
    assert_eq!(status, 422);
    insta::assert_snapshot!(text, @"nothing was imported: alice-db: no key of this stage opens all of it: was it sealed for another stage, name or namespace?");
    assert_eq!(stage.cluster.values("alice-db").unwrap()["k"], "works");
    assert_eq!(stage.cluster.names().0, ["alice-db"]);
    assert_eq!(stage.cluster.requests("POST") + stage.cluster.requests("PUT"), 1, "only the first import wrote");
}

#[tokio::test]
async fn a_name_that_was_changed_and_a_value_that_was_cut_do_not_open() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    let renamed = sealed("alice-db", &[("k", "v")]).replace("alice-db", "alice-xy");
    assert_eq!(stage.refused(&event, &renamed).await.0, 422);
    let cut = document(NAMESPACE, "alice-db", &[("k", "AAAA".to_owned())]);
    assert_eq!(stage.refused(&event, &cut).await.0, 422);
    assert!(stage.cluster.names().0.is_empty());
}

#[tokio::test]
async fn a_cluster_that_fails_in_the_middle_of_ten_new_secrets_keeps_none_and_then_all() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    stage.cluster.refuse(Method::POST, 5, 1, 500);
    let (status, text) = stage.refused(&event, &ten("one")).await;
    assert_eq!(status, 502, "{text}");
    assert_eq!(stage.cluster.names(), (vec![], vec![]));
    assert_eq!(stage.look(&event, &["s0"]).await.missing, names(&["s0"]));
    assert_eq!(stage.import(&event, Some(&ten("one")), &[]).await.done.created, 10);
    assert_eq!(values(&stage), ["one".to_owned()].into());
}

#[tokio::test]
async fn a_cluster_that_fails_in_the_middle_of_ten_changes_has_the_old_values_and_then_the_new_ones() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    stage.import(&event, Some(&ten("one")), &[]).await;
    stage.cluster.refuse(Method::PUT, 4, 1, 503);
    assert_eq!(stage.refused(&event, &ten("two")).await.0, 502);
    assert_eq!(values(&stage), ["one".to_owned()].into());
    assert_eq!(stage.import(&event, Some(&ten("two")), &[]).await.done.updated, 10);
    assert_eq!(values(&stage), ["two".to_owned()].into());
}

#[tokio::test]
async fn what_the_cluster_says_is_told_to_nobody() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    // The cluster repeats what it was sent, as real ones do.
    for (refusal, status) in [(422, 422), (400, 422), (403, 502), (401, 502), (404, 502), (500, 502)] {
        stage.cluster.refuse(Method::POST, 0, 1, refusal);
        let file = sealed("alice-db", &[("k", "v")]);
        let (answer, text) = stage.refused(&event, &file).await;
        assert_eq!(answer, status, "{refusal}: {text}");
        let sealed_part = file.lines().find(|line| line.contains("\"k\":")).unwrap().trim().get(6..26).unwrap();
        assert!(!text.contains(sealed_part) && !text.contains("encryptedData"), "{text}");
        assert!(stage.cluster.names().0.is_empty());
    }
}

#[tokio::test]
async fn writers_who_meet_take_turns() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    let db = |value: &str| sealed("alice-db", &[("k", value)]);
    stage.import(&event, Some(&db("one")), &[]).await;
    stage.cluster.state().interferes = 2;
    assert_eq!(stage.import(&event, Some(&db("two")), &[]).await.done.updated, 1);
    assert_eq!(stage.cluster.values("alice-db").unwrap()["k"], "two");
    assert_eq!(stage.cluster.requests("PUT"), 3);
}

#[tokio::test]
async fn a_controller_that_sleeps_is_not_waited_for_forever() {
    let stage = InCluster::with(&[("sync_timeout", "100ms")]).await;
    let event = push("alice", "secrets");
    stage.cluster.change(|state| state.controller = false);
    let (status, text) = stage.refused(&event, &sealed("alice-db", &[("k", "v")])).await;
    assert_eq!((status, text.as_str()), (502, "cannot have the secret alice-db now"));
    assert!(stage.cluster.sealed("alice-db").is_none(), "it is undone");
    stage.cluster.change(|state| state.controller = true);
    stage.import(&event, Some(&sealed("alice-db", &[("k", "v")])), &[]).await;
}

#[tokio::test]
async fn a_removal_that_the_cluster_has_not_made_yet_is_repeated() {
    let stage = InCluster::with(&[("sync_timeout", "100ms")]).await;
    let event = push("alice", "secrets");
    stage.import(&event, Some(&sealed("alice-db", &[("k", "v")])), &[]).await;
    stage.import(&event, None, &[]).await;
    stage.cluster.change(|state| state.collector = false);
    let prune = SecretsRequest::Prune(Prune { event: event.clone(), bare: false });
    assert_eq!(stage.ask(&prune).await.0, 502);
    // An import in between waits, too: the old Secret is not taken for somebody else's.
    let again = sealed("alice-db", &[("k", "new")]);
    assert_eq!(stage.refused(&event, &again).await.0, 502);
    stage.cluster.change(|state| state.collector = true);
    crate::setup::until("the collection", || stage.cluster.values("alice-db").is_none()).await;
    stage.import(&event, Some(&again), &[]).await;
    stage.prune(&event).await;
    assert_eq!(stage.cluster.values("alice-db").unwrap()["k"], "new");
}

#[tokio::test]
async fn a_secret_that_the_cluster_does_not_take_is_refused_for_good() {
    let stage = InCluster::start().await;
    stage.cluster.state().invalid = Some("data: Too long: must have at most 1048576 bytes");
    let (status, text) = stage.refused(&push("alice", "secrets"), &sealed("alice-db", &[("k", "v")])).await;
    assert_eq!(status, 422, "{text}");
    assert_eq!(text, "the secret alice-db is refused with 422 Unprocessable Entity");
    assert!(stage.cluster.names().0.is_empty(), "it is undone");
}
