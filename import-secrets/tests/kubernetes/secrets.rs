//! From a file to `Secret`s and back.

use std::collections::BTreeMap;

use sdk::secrets::{Done, Pruned};

use crate::setup::{name, names, push, sealed};
use crate::stage::InCluster;

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_file_becomes_sealed_objects_and_the_controller_opens_them() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    let file = sealed("alice-db", &[("user", "ada"), ("password", "pw")]) + &sealed("alice-npm", &[("token", "t")]);
    let known = stage.import(&event, Some(&file), &["db"]).await;
    assert_eq!(known.done, Done { created: 2, keys: 3, ..Done::default() });
    assert_eq!(known.found[&name("db")].names, ["alice-db"], "one name, whatever keys it has");
    assert_eq!(stage.cluster.values("alice-db").unwrap(), values(&[("user", "ada"), ("password", "pw")]));
    assert_eq!(stage.cluster.values("alice-npm").unwrap(), values(&[("token", "t")]));
    assert!(stage.gateway.secret_names().is_empty(), "the gateway has no part in it");
    let mut object = stage.written("alice-npm");
    object["metadata"]["uid"] = "(uid)".into();
    object["metadata"]["resourceVersion"] = "(version)".into();
    object.as_object_mut().unwrap().remove("status");
    // Whether JSON keeps its order is decided by whatever else is built along.
    let mut settings = insta::Settings::clone_current();
    settings.set_sort_maps(true);
    let _bound = settings.bind_to_scope();
    insta::assert_json_snapshot!(object, @r#"
    {
      "apiVersion": "bitnami.com/v1alpha1",
      "kind": "SealedSecret",
      "metadata": {
        "annotations": {
          "com.openfaas.cloud.git-host": "git.localhost"
        },
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "generation": 1,
        "labels": {
          "app.kubernetes.io/managed-by": "openfaas-cloud",
          "com.openfaas.cloud.git-owner-id": "531828",
          "com.openfaas.cloud.git-repo-id": "312372",
          "com.openfaas.cloud.git-scm": "git.localhost"
        },
        "name": "alice-npm",
        "namespace": "openfaas-fn",
        "resourceVersion": "(version)",
        "uid": "(uid)"
      },
      "spec": {
        "encryptedData": {
          "token": "(sealed)"
        },
        "template": {
          "metadata": {
            "labels": {
              "app.kubernetes.io/managed-by": "openfaas-cloud",
              "com.openfaas.cloud.git-owner-id": "531828",
              "com.openfaas.cloud.git-repo-id": "312372",
              "com.openfaas.cloud.git-scm": "git.localhost"
            }
          },
          "type": "Opaque"
        }
      }
    }
    "#);
}

#[tokio::test]
async fn the_same_file_again_changes_nothing() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    let file = sealed("alice-db", &[("k", "v")]);
    let first = stage.import(&event, Some(&file), &["db"]).await;
    let before = stage.cluster.sealed("alice-db");
    let second = stage.import(&event, Some(&file), &["db"]).await;
    assert_eq!(second.done, Done { unchanged: 1, keys: 1, ..Done::default() });
    assert_eq!(first.found, second.found, "functions are not deployed again");
    assert_eq!(stage.cluster.sealed("alice-db"), before);
    assert_eq!(stage.cluster.requests("PUT"), 0);
}

#[tokio::test]
async fn an_update_leaves_just_the_keys_of_the_file() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    let db = |pairs: &[(&str, &str)]| sealed("alice-db", pairs);
    let first = stage.import(&event, Some(&db(&[("a", "1"), ("b", "2")])), &["db"]).await;
    let second = stage.import(&event, Some(&db(&[("b", "3"), ("c", "4")])), &["db"]).await;
    assert_eq!(second.done.updated, 1);
    assert_ne!(first.found[&name("db")].version, second.found[&name("db")].version);
    assert_eq!(stage.cluster.values("alice-db").unwrap(), values(&[("b", "3"), ("c", "4")]));
    let object = stage.cluster.sealed("alice-db").unwrap();
    assert_eq!(object["metadata"]["generation"], 2, "it was replaced, and not made anew");
}

#[tokio::test]
async fn a_key_that_goes_goes_although_no_other_changes() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    let file = sealed("alice-db", &[("a", "1"), ("b", "2")]);
    stage.import(&event, Some(&file), &[]).await;
    let without: String =
        file.lines().filter(|line| !line.contains("\"b\":")).map(|line| format!("{line}\n")).collect();
    assert_eq!(stage.import(&event, Some(&without), &[]).await.done.updated, 1);
    assert_eq!(stage.cluster.values("alice-db").unwrap(), values(&[("a", "1")]));
}

#[tokio::test]
async fn what_is_removed_from_the_file_is_removed_when_nobody_mounts_it() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    stage.import(&event, Some(&sealed("alice-db", &[("k", "v")])), &[]).await;
    stage.deploy("fn", &push("alice", "app"), &["alice-db"]);
    stage.import(&event, None, &[]).await;
    let pruned = stage.prune(&event).await;
    assert_eq!(pruned.in_use, [(name("db"), vec!["alice-fn".to_owned()])].into());
    assert!(stage.cluster.values("alice-db").is_some());
    stage.deploy("fn", &push("alice", "app"), &[]);
    assert_eq!(stage.prune(&event).await, Pruned { removed: names(&["db"]), ..Pruned::default() });
    assert_eq!(stage.cluster.names(), (vec![], vec![]), "the Secret is gone by then, too");
    // So the name is free.
    stage.import(&push("alice", "other"), Some(&sealed("alice-db", &[("k", "new")])), &[]).await;
    assert_eq!(stage.cluster.values("alice-db").unwrap(), values(&[("k", "new")]));
}

#[tokio::test]
async fn a_function_that_waits_is_pushed_again_when_its_secret_is_there() {
    let stage = InCluster::start().await;
    let app = push("alice", "app");
    assert_eq!(stage.import(&app, None, &["db"]).await.missing, names(&["db"]));
    stage.import(&push("alice", "secrets"), Some(&sealed("alice-db", &[("k", "v")])), &[]).await;
    assert_eq!(stage.pushes(), [app]);
}

#[tokio::test]
async fn a_changed_value_restarts_what_mounts_it() {
    let stage = InCluster::start().await;
    let (app, event) = (push("alice", "app"), push("alice", "secrets"));
    stage.import(&event, Some(&sealed("alice-db", &[("k", "1")])), &[]).await;
    stage.import(&app, None, &["db"]).await;
    stage.deploy("fn", &app, &["alice-db"]);
    stage.import(&event, Some(&sealed("alice-db", &[("k", "2")])), &[]).await;
    let pushes = stage.pushes();
    let [restart] = &pushes[..] else { panic!("{pushes:?}") };
    assert_eq!(restart.restart.iter().map(ToString::to_string).collect::<Vec<_>>(), ["fn"]);
}

#[tokio::test]
async fn a_secret_that_somebody_deleted_is_made_again() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    let file = sealed("alice-db", &[("k", "v")]);
    stage.import(&event, Some(&file), &[]).await;
    // A controller that does not look at Secrets does not see it by itself.
    stage.cluster.change(|state| {
        state.watches_secrets = false;
        state.secrets.clear();
    });
    let known = stage.look(&event, &["db"]).await;
    assert!(known.missing.is_empty());
    assert_eq!(stage.cluster.values("alice-db").unwrap(), values(&[("k", "v")]));
    // And so is one whose object was deleted.
    stage.cluster.change(|state| state.sealed.clear());
    crate::setup::until("the collection", || stage.cluster.values("alice-db").is_none()).await;
    assert!(stage.import(&event, Some(&file), &["db"]).await.missing.is_empty());
    assert_eq!(stage.cluster.values("alice-db").unwrap(), values(&[("k", "v")]));
}

#[tokio::test]
async fn all_of_it_is_in_the_functions_namespace() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    stage.import(&event, Some(&sealed("alice-db", &[("k", "v")])), &[]).await;
    let elsewhere = sealed("alice-x", &[("k", "v")]).replace("namespace: openfaas-fn", "namespace: kube-system");
    assert_eq!(stage.refused(&event, &elsewhere).await.0, 422);
    stage.import(&event, None, &[]).await;
    stage.prune(&event).await;
    let state = stage.cluster.state();
    let asked = state.log.iter().filter(|request| *request != "VERIFY");
    let outside: Vec<_> = asked.filter(|request| !request.contains("/namespaces/openfaas-fn/")).collect();
    assert!(outside.is_empty(), "{outside:?}");
}
