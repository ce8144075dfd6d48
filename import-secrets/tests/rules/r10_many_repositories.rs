//! Rule 10: an owner may have several repositories of secrets, and owners do not see each other's.

use crate::setup::{Stage, names, push, sealed};

#[tokio::test]
async fn secrets_of_several_repositories_are_one_owners() {
    let stage = Stage::start().await;
    let (one, two, app) = (push("alice", "one"), push("alice", "two"), push("alice", "app"));
    stage.import(&one, Some(&sealed("alice-a", &[("k", "1")])), &[]).await;
    stage.import(&two, Some(&sealed("alice-b", &[("k", "2")])), &[]).await;
    stage.import(&app, Some(&sealed("alice-c", &[("k", "3")])), &["a", "b", "c"]).await;
    let known = stage.look(&app, &["a", "b", "c"]).await;
    assert_eq!(known.found.into_keys().collect::<std::collections::BTreeSet<_>>(), names(&["a", "b", "c"]));
    // Each file speaks for its own repository alone.
    stage.import(&two, None, &[]).await;
    assert_eq!(stage.prune(&one).await.removed, names(&["b"]));
    assert_eq!(stage.gateway.secret_names(), ["alice-a", "alice-c"]);
}

#[tokio::test]
async fn another_owner_has_none_of_them() {
    let stage = Stage::start().await;
    stage.import(&push("alice", "one"), Some(&sealed("alice-db", &[("k", "alice's")])), &[]).await;
    let bob = push("bob", "app");
    assert_eq!(
        stage.import(&bob, Some(&sealed("bob-db", &[("k", "bob's")])), &["db", "other"]).await.missing,
        names(&["other"])
    );
    assert_eq!(stage.look(&bob, &["db"]).await.found.into_values().next().unwrap().names, ["bob-db"]);
    assert_eq!(stage.value("alice-db").as_deref(), Some("alice's"));
}
