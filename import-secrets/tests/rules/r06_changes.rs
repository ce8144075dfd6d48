//! Rule 6: a changed value reaches the functions that mount it, those of the same owner, and no others.

use sdk::secrets::Done;

use crate::setup::{Stage, name, push, sealed};

#[tokio::test]
async fn exactly_the_functions_that_mount_it_are_restarted() {
    let stage = Stage::start().await;
    let (app, other, secrets) = (push("alice", "app"), push("alice", "other"), push("alice", "secrets"));
    let file = |db: &str| sealed("alice-db", &[("k", db)]) + &sealed("alice-api", &[("k", "same")]);
    stage.import(&secrets, Some(&file("one")), &[]).await;
    let before = stage.import(&app, None, &["db", "api"]).await;
    stage.import(&other, None, &["api"]).await;
    stage.deploy("uses-db", &app, &["alice-db", "alice-api"]);
    stage.deploy("uses-api", &app, &["alice-api"]);
    stage.deploy("uses-api-too", &other, &["alice-api"]);
    stage.deploy("of-bob", &push("bob", "app"), &["alice-db"]);
    stage.deploy("own", &secrets, &["alice-db"]);
    let known = stage.import(&secrets, Some(&file("two")), &["db"]).await;
    assert_eq!(known.done, Done { updated: 1, unchanged: 1, keys: 2, ..Done::default() });
    assert_eq!(stage.value("alice-db").as_deref(), Some("two"));
    let pushes = stage.pushes();
    assert_eq!(pushes.len(), 1, "{pushes:?}");
    assert_eq!((&pushes[0].repo, pushes[0].restart.as_slice()), (&app.repo, &[name("uses-db")][..]));
    let after = stage.look(&app, &["db", "api"]).await;
    assert_ne!(after.found[&name("db")].version, before.found[&name("db")].version);
    assert_eq!(after.found[&name("api")].version, before.found[&name("api")].version);
    assert!(!after.found[&name("db")].version.contains("two"));
}

#[tokio::test]
async fn a_new_key_gives_every_key_its_own_name_and_the_old_one_leaves_when_it_is_not_mounted() {
    let stage = Stage::start().await;
    let (app, secrets) = (push("alice", "app"), push("alice", "secrets"));
    stage.import(&secrets, Some(&sealed("alice-db", &[("a", "1")])), &[]).await;
    assert_eq!(stage.import(&app, None, &["db"]).await.found[&name("db")].names, ["alice-db"]);
    stage.deploy("fn", &app, &["alice-db"]);
    stage.import(&secrets, Some(&sealed("alice-db", &[("a", "1"), ("b", "2")])), &[]).await;
    assert_eq!(stage.pushes()[0].restart, [name("fn")]);
    assert_eq!(stage.look(&app, &["db"]).await.found[&name("db")].names, ["alice-db.a", "alice-db.b"]);
    assert_eq!(stage.gateway.secret_names(), ["alice-db", "alice-db.a", "alice-db.b"]);
    stage.prune(&secrets).await;
    assert_eq!(stage.gateway.secret_names().len(), 3, "it is still mounted");
    stage.deploy("fn", &app, &["alice-db.a", "alice-db.b"]);
    stage.prune(&app).await;
    assert_eq!(stage.gateway.secret_names(), ["alice-db.a", "alice-db.b"]);
    assert_eq!(stage.value("alice-db.a").as_deref(), Some("1"));
}

#[tokio::test]
async fn a_restart_that_could_not_be_told_is_told_later() {
    let stage = Stage::start().await;
    let (app, secrets) = (push("alice", "app"), push("alice", "secrets"));
    stage.import(&secrets, Some(&sealed("alice-db", &[("k", "one")])), &[]).await;
    stage.import(&app, None, &["db"]).await;
    stage.deploy("fn", &app, &["alice-db"]);
    stage.gateway.refuse_next("GET /system/functions", http::StatusCode::BAD_GATEWAY, "");
    stage.import(&secrets, Some(&sealed("alice-db", &[("k", "two")])), &[]).await;
    assert!(stage.pushes().is_empty());
    stage.prune(&secrets).await;
    assert_eq!(stage.pushes()[0].restart, [name("fn")]);
}

#[tokio::test]
async fn functions_whose_repository_is_not_known_are_named_in_the_trail() {
    let stage = Stage::start().await;
    let secrets = push("alice", "secrets");
    stage.import(&secrets, Some(&sealed("alice-db", &[("k", "one")])), &[]).await;
    stage.deploy("old", &push("alice", "app"), &["alice-db"]);
    stage.import(&secrets, Some(&sealed("alice-db", &[("k", "two")])), &[]).await;
    assert!(stage.pushes().is_empty());
    let trail = stage.trail();
    let line = trail.iter().find(|line| line.contains("push their repository again")).unwrap();
    insta::assert_snapshot!(line, @"a secret changed that these functions mount; push their repository again to deploy them: old");
}
