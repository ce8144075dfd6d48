//! Secrets that are not in the stage as they were left there.

use http::StatusCode;

use crate::setup::{Stage, name, push, sealed};

#[tokio::test]
async fn what_somebody_removed_is_there_again_when_it_is_wanted() {
    let stage = Stage::start().await;
    let (secrets, app) = (push("alice", "secrets"), push("alice", "app"));
    let file = sealed("alice-db", &[("a", "1"), ("b", "2")]);
    stage.import(&secrets, Some(&file), &[]).await;
    assert!(stage.gateway.remove_secret("alice-db.b"));
    assert!(stage.import(&app, None, &["db"]).await.missing.is_empty());
    assert_eq!(stage.value("alice-db.b").as_deref(), Some("2"));
    assert!(stage.gateway.remove_secret("alice-db.a"));
    let known = stage.import(&secrets, Some(&file), &[]).await;
    assert_eq!((known.done.unchanged, known.done.updated), (1, 0));
    assert_eq!(stage.value("alice-db.a").as_deref(), Some("1"));
}

#[tokio::test]
async fn a_secret_made_by_hand_is_found_and_never_overwritten() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    stage.gateway.put_secret("alice-db", b"by hand");
    assert_eq!(stage.look(&event, &["db"]).await.found[&name("db")].version, "");
    for values in [&[("k", "v")][..], &[("a", "1"), ("b", "2")]] {
        let (status, text) = stage.refused(&event, &sealed("alice-db", values)).await;
        assert_eq!(status, 409);
        assert!(text.contains("no repository has made it"), "{text}");
    }
    // One that is made between the look and the write stays, too, and is not taken for ours when it is undone.
    stage.gateway.refuse_next("POST /system/secrets", StatusCode::CONFLICT, "");
    let (status, _) = stage.refused(&event, &sealed("alice-api", &[("k", "v")])).await;
    assert_eq!(status, 409);
    stage.gateway.put_secret("alice-api", b"by hand");
    assert_eq!(stage.refused(&event, &sealed("alice-api", &[("k", "v")])).await.0, 409);
    stage.prune(&event).await;
    assert_eq!(stage.value("alice-api").as_deref(), Some("by hand"));
    assert_eq!(stage.value("alice-db").as_deref(), Some("by hand"));
}

#[tokio::test]
async fn a_value_whose_key_is_lost_is_written_again_when_it_is_sealed_anew() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    let db = |value: &str| sealed("alice-db", &[("k", value)]);
    stage.import(&event, Some(&db("one")), &[]).await;
    // The undoing of a change does not open the old value any more.
    stage.add_key("2.pem", &crate::setup::foreign_key());
    stage.remove_key("1.pem");
    let new = |value: &str| {
        crate::setup::sealed_to(crate::setup::foreign_key().certificate(), "openfaas-fn", "alice-db", &[("k", value)])
    };
    stage.gateway.refuse_next("PUT /system/secrets", StatusCode::BAD_GATEWAY, "");
    assert_eq!(stage.refused(&event, &new("two")).await.0, 502);
    stage.import(&event, Some(&new("one")), &[]).await;
    assert_eq!(stage.value("alice-db").as_deref(), Some("one"));
    assert!(stage.record(event.owner_id)["secrets"]["db"].get("unsure").is_none());
}
