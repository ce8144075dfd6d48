//! Rule 1: a repository with a file of secrets and no stack is imported, and no function is touched.

use sdk::secrets::Done;

use crate::setup::{Stage, push, sealed};

#[tokio::test]
async fn a_file_alone_is_imported() {
    let stage = Stage::start().await;
    let event = push("alice", "prod-secrets");
    stage.deploy("fn", &push("alice", "app"), &[]);
    let file =
        sealed("alice-db", &[("password", "hunter2"), ("user", "root")]) + &sealed("alice-api", &[("token", "t")]);
    let known = stage.import(&event, Some(&file), &[]).await;
    assert_eq!(known.done, Done { created: 2, keys: 3, ..Done::default() });
    assert_eq!(stage.gateway.secret_names(), ["alice-api", "alice-db.password", "alice-db.user"]);
    assert_eq!(stage.value("alice-db.password").as_deref(), Some("hunter2"));
    assert_eq!(stage.gateway.secret("alice-api").unwrap().file_name, "token");
    assert_eq!(stage.gateway.secret("alice-db.user").unwrap().file_name, "user");
    assert_eq!(stage.prune(&event).await, Default::default());
    assert_eq!(stage.gateway.function_names(), ["alice-fn"]);
    assert!(stage.pushes().is_empty(), "nothing is built or restarted");
    let trail = stage.gateway.messages_when("audit-event", |all| !all.is_empty()).await;
    insta::assert_snapshot!(trail[0].read::<sdk::audit::AuditEvent>().message, @"secrets made: api (1 key), db (2 keys)");
}

#[tokio::test]
async fn the_same_file_again_changes_and_opens_nothing() {
    let stage = Stage::start().await;
    let event = push("alice", "prod-secrets");
    let file = sealed("alice-db", &[("password", "hunter2")]);
    let first = stage.import(&event, Some(&file), &["db"]).await;
    let writes = stage.gateway.secret_writes();
    let record = stage.record(event.owner_id);
    // It could not be opened any more.
    stage.add_key("2.pem", &crate::setup::foreign_key());
    stage.remove_key("1.pem");
    let again = stage.import(&event, Some(&file), &["db"]).await;
    assert_eq!(again.done, Done { unchanged: 1, keys: 1, ..Done::default() });
    assert_eq!((again.found, again.missing), (first.found, first.missing));
    assert_eq!(stage.gateway.secret_writes(), writes);
    assert_eq!(stage.record(event.owner_id), record);
}

#[tokio::test]
async fn a_value_that_is_sealed_anew_is_the_same_secret() {
    let stage = Stage::start().await;
    let event = push("alice", "prod-secrets");
    let file = || sealed("alice-db", &[("password", "hunter2")]);
    let first = stage.import(&event, Some(&file()), &["db"]).await;
    let writes = stage.gateway.secret_writes();
    stage.deploy("fn", &push("alice", "app"), &["alice-db"]);
    let again = stage.import(&event, Some(&file()), &["db"]).await;
    assert_eq!(again.done, Done { unchanged: 1, keys: 1, ..Done::default() });
    assert_eq!(again.found, first.found, "its version is the same");
    assert_eq!(stage.gateway.secret_writes(), writes);
    assert!(stage.pushes().is_empty(), "nothing is restarted");
}
