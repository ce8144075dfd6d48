//! What is not ours is never written over, and never removed.

use http::Method;
use serde_json::{Value, json};

use crate::setup::{push, sealed};
use crate::stage::InCluster;

fn db(value: &str) -> String {
    sealed("alice-db", &[("k", value)])
}

/// Asks for an import that must be a conflict and leave this object as it is.
async fn is_a_conflict(stage: &InCluster, kind: &str) {
    let look = || (stage.cluster.sealed("alice-db"), stage.cluster.values("alice-db"));
    let before = look();
    let (status, text) = stage.refused(&push("alice", "secrets"), &db("mine")).await;
    assert_eq!(status, 409, "{kind}: {text}");
    assert!(text.contains("alice-db"), "{kind}: {text}");
    assert_eq!(look(), before, "{kind}");
    assert_eq!(stage.cluster.requests("POST") + stage.cluster.requests("PUT"), 0, "{kind}");
}

#[tokio::test]
async fn a_secret_made_by_hand_is_found_and_never_replaced() {
    for annotations in [json!({}), json!({ "sealedsecrets.bitnami.com/managed": "true" })] {
        let stage = InCluster::start().await;
        stage.cluster.make_secret("alice-db", annotations.clone());
        is_a_conflict(&stage, &annotations.to_string()).await;
        let known = stage.import(&push("alice", "app"), None, &["db"]).await;
        assert_eq!(known.found.len(), 1, "functions may mount it");
    }
}

/// An object as it would be after an import, with something else in it.
async fn somebody_elses(change: impl FnOnce(&mut Value)) -> InCluster {
    let stage = InCluster::start().await;
    stage.cluster.state().controller = false;
    let meta = json!({ "name": "alice-db", "namespace": "openfaas-fn", "labels": {
        "app.kubernetes.io/managed-by": "openfaas-cloud",
        "com.openfaas.cloud.git-owner-id": push("alice", "secrets").owner_id.to_string(),
        "com.openfaas.cloud.git-repo-id": push("alice", "secrets").repo_id.to_string(),
    }, "annotations": { "com.openfaas.cloud.git-host": "git.localhost" } });
    let mut object = json!({ "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": meta,
        "spec": { "encryptedData": {} } });
    change(&mut object);
    stage.cluster.change(|state| {
        let object = state.new_object(object);
        state.sealed.insert("alice-db".to_owned(), object);
    });
    stage
}

#[tokio::test]
async fn a_sealed_object_that_is_not_the_owners_is_never_replaced() {
    let labels = "/metadata/labels";
    let label =
        |name: &'static str, value: Value| move |object: &mut Value| object.pointer_mut(labels).unwrap()[name] = value;
    let stage = somebody_elses(|object| *object.pointer_mut(labels).unwrap() = json!({})).await;
    is_a_conflict(&stage, "made by hand").await;
    let stage = somebody_elses(label("com.openfaas.cloud.git-owner-id", "99".into())).await;
    is_a_conflict(&stage, "another owner's").await;
    let stage = somebody_elses(label("app.kubernetes.io/managed-by", "Helm".into())).await;
    is_a_conflict(&stage, "another manager's").await;
    is_a_conflict(&somebody_elses(|_| {}).await, "all as it would be, and not recorded").await;
    let host = |object: &mut Value| object["metadata"]["annotations"] = json!({ "com.openfaas.cloud.git-host": "x" });
    is_a_conflict(&somebody_elses(host).await, "the same number at another host").await;
}

#[tokio::test]
async fn a_secret_that_appears_meanwhile_stays_and_the_import_is_undone() {
    let stage = InCluster::start().await;
    stage.cluster.change(|state| state.controller = false);
    let import = async { stage.refused(&push("alice", "secrets"), &db("mine")).await };
    let appear = async {
        crate::setup::until("the object", || stage.cluster.sealed("alice-db").is_some()).await;
        stage.cluster.make_secret("alice-db", json!({}));
        stage.cluster.change(|state| state.controller = true);
    };
    let ((status, text), ()) = tokio::join!(import, appear);
    assert_eq!(status, 409, "{text}");
    assert_eq!(stage.cluster.values("alice-db").unwrap()["k"], "hand");
    assert!(stage.cluster.sealed("alice-db").is_none(), "what was made for it is gone");
}

#[tokio::test]
async fn the_second_repository_gets_a_conflict_and_the_first_keeps_its_secret() {
    let stage = InCluster::start().await;
    stage.import(&push("alice", "secrets"), Some(&db("first")), &[]).await;
    let (status, text) = stage.refused(&push("alice", "other"), &db("second")).await;
    assert_eq!(status, 409);
    assert!(text.contains("is held by repository secrets"), "{text}");
    assert_eq!(stage.cluster.values("alice-db").unwrap()["k"], "first");
}

#[tokio::test]
async fn what_came_into_the_place_of_an_import_is_not_removed_with_it() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    stage.import(&event, Some(&db("mine")), &[]).await;
    stage.cluster.change(|state| {
        state.sealed.get_mut("alice-db").unwrap()["metadata"]["labels"] = json!({});
    });
    stage.import(&event, None, &[]).await;
    stage.prune(&event).await;
    assert!(stage.cluster.sealed("alice-db").is_some());
    assert_eq!(stage.cluster.requests("DELETE"), 0);
}

#[tokio::test]
async fn an_object_that_changes_while_it_is_deleted_is_looked_at_again() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    stage.import(&event, Some(&db("mine")), &[]).await;
    stage.import(&event, None, &[]).await;
    stage.cluster.state().interferes = 2;
    stage.prune(&event).await;
    assert_eq!(stage.cluster.names(), (vec![], vec![]));
    assert_eq!(stage.cluster.requests(Method::DELETE.as_str()), 3);
}
