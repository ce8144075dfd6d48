//! Rule 4: everything is opened before anything is written. What is sealed for another stage never replaces what works.

use crate::setup::{NAMESPACE, Stage, foreign_key, push, sealed, sealed_to};

#[tokio::test]
async fn one_bad_document_stops_all() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    let foreign = |name: &str| sealed_to(foreign_key().certificate(), NAMESPACE, name, &[("k", "theirs")]);
    let file = sealed("alice-a", &[("k", "v")]) + &foreign("alice-b") + &sealed("alice-c", &[("k", "v")]);
    let (status, text) = stage.refused(&event, &file).await;
    assert_eq!(status, 422);
    insta::assert_snapshot!(text, @"nothing was imported: the key k of alice-b: no key of this stage opens it as openfaas-fn/alice-b: it was sealed for another stage, or for another name or namespace; seal it again with this stage's certificate and exactly this name");
    assert!(stage.gateway.secret_names().is_empty());
}

#[tokio::test]
async fn another_stages_value_does_not_replace_one_that_works() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    stage.import(&event, Some(&sealed("alice-db", &[("k", "works")])), &[]).await;
    let record = stage.record(event.owner_id);
    let other = sealed_to(foreign_key().certificate(), NAMESPACE, "alice-db", &[("k", "theirs")]);
    assert_eq!(stage.refused(&event, &other).await.0, 422);
    assert_eq!(stage.value("alice-db").as_deref(), Some("works"));
    assert_eq!(stage.record(event.owner_id), record);
    let trail = stage.trail();
    assert!(
        trail.iter().any(|line| line.starts_with("secrets not imported: nothing was imported: the key k of alice-db")),
        "{trail:?}"
    );
}
