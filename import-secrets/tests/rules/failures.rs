//! What goes wrong in the middle is undone, and done the next time.

use http::StatusCode;

use crate::setup::{Stage, import, names, push, sealed, until};

fn ten(value: &str) -> String {
    (0..10).map(|n| sealed(&format!("alice-s{n}"), &[("k", value)])).collect()
}

#[tokio::test]
async fn a_gateway_that_fails_in_the_middle_of_ten_new_secrets_keeps_none_and_then_all() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    stage.gateway.refuse_after(5, "POST /system/secrets", StatusCode::INTERNAL_SERVER_ERROR, "full");
    let (status, text) = stage.refused(&event, &ten("one")).await;
    assert_eq!(status, 502, "it is worth another try: {text}");
    assert!(stage.gateway.secret_names().is_empty(), "{:?}", stage.gateway.secret_names());
    assert!(stage.record(event.owner_id)["secrets"].as_object().unwrap().is_empty());
    assert_eq!(stage.look(&event, &["s0"]).await.missing, names(&["s0"]));
    let known = stage.import(&event, Some(&ten("one")), &[]).await;
    assert_eq!(known.done.created, 10);
    assert_eq!(stage.gateway.secret_names().len(), 10);
    assert!(stage.prune(&event).await.removed.is_empty());
    assert_eq!(stage.gateway.secret_names().len(), 10);
}

#[tokio::test]
async fn a_gateway_that_fails_in_the_middle_of_ten_changes_has_the_old_values_and_then_the_new_ones() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    stage.import(&event, Some(&ten("one")), &[]).await;
    let more = |value: &str| ten(value) + &sealed("alice-more", &[("a", value), ("b", value)]);
    stage.gateway.refuse_after(4, "PUT /system/secrets", StatusCode::SERVICE_UNAVAILABLE, "");
    let (status, _) = stage.refused(&event, &more("two")).await;
    assert_eq!(status, 502);
    let values = |stage: &Stage| (0..10).map(|n| stage.value(&format!("alice-s{n}")).unwrap()).collect::<Vec<_>>();
    assert_eq!(values(&stage), vec!["one"; 10]);
    assert_eq!(stage.gateway.secret_names().len(), 10);
    assert_eq!(stage.import(&event, Some(&more("two")), &[]).await.done.updated, 10);
    assert_eq!(values(&stage), vec!["two"; 10]);
    assert_eq!(stage.gateway.secret_names().len(), 12);
}

#[tokio::test]
async fn a_refusal_of_the_gateways_is_final_and_undone_too() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    stage.gateway.refuse_after(3, "POST /system/secrets", StatusCode::BAD_REQUEST, "no such name");
    assert_eq!(stage.refused(&event, &ten("one")).await.0, 422);
    assert!(stage.gateway.secret_names().is_empty());
    stage.gateway.refuse_next("POST /system/secrets", StatusCode::UNAUTHORIZED, "");
    assert_eq!(
        stage.refused(&event, &ten("one")).await.0,
        502,
        "the operator's credentials are not the author's fault"
    );
    assert!(stage.gateway.secret_names().is_empty());
}

#[tokio::test]
async fn what_cannot_be_undone_is_undone_by_the_next_message() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    let db = |value: &str| sealed("alice-db", &[("k", value)]);
    stage.import(&event, Some(&db("one")), &[]).await;
    stage.gateway.refuse_next("POST /system/secrets", StatusCode::INTERNAL_SERVER_ERROR, "");
    // The change of the first, then putting it back.
    stage.gateway.refuse_after(1, "PUT /system/secrets", StatusCode::INTERNAL_SERVER_ERROR, "");
    let (status, text) = stage.refused(&event, &(db("two") + &sealed("alice-new", &[("k", "v")]))).await;
    assert_eq!(status, 502);
    assert!(text.contains("could not be put back yet"), "{text}");
    assert_eq!(stage.value("alice-db").as_deref(), Some("two"));
    let known = stage.look(&event, &["db"]).await;
    assert!(known.missing.is_empty());
    assert_eq!(stage.value("alice-db").as_deref(), Some("one"));
    assert!(stage.record(event.owner_id).get("pending").is_none());
}

/// The process dies while half of the secrets are written: the next one undoes it, and then does it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_in_the_middle_leaves_nothing_half() {
    let mut stage = Stage::start().await;
    let event = push("alice", "secrets");
    stage.import(&event, Some(&sealed("alice-s0", &[("k", "one")])), &[]).await;
    stage.gateway.stall_after(4, "POST /system/secrets");
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let env = stage.env.clone();
    let request = stage.gateway.signed("import-secrets", &import(&event, Some(&ten("two")), &[]), "call-2");
    doomed.spawn(async move {
        let router = import_secrets::router(&env).unwrap();
        tower::ServiceExt::oneshot(router, request).await
    });
    until("half of the import", || stage.gateway.secret_names().len() >= 5).await;
    doomed.shutdown_background();
    assert!(stage.record(event.owner_id).get("pending").is_some());
    stage.restart();
    let known = stage.look(&event, &["s0", "s1"]).await;
    assert_eq!(known.missing, names(&["s1"]));
    assert_eq!(stage.gateway.secret_names(), ["alice-s0"]);
    assert_eq!(stage.value("alice-s0").as_deref(), Some("one"));
    assert_eq!(stage.import(&event, Some(&ten("two")), &[]).await.done.created, 9);
    assert_eq!(stage.value("alice-s0").as_deref(), Some("two"));
}

#[tokio::test]
async fn a_gateway_that_never_answers_is_given_up() {
    let stage = Stage::with(&[("secret_timeout", "50ms")]).await;
    let event = push("alice", "secrets");
    stage.gateway.stall_after(3, "POST /system/secrets");
    assert_eq!(stage.refused(&event, &ten("one")).await.0, 502);
    assert!(stage.gateway.secret_names().is_empty());
    // It may still do what it was asked: that is nobody's secret but this owner's.
    stage.gateway.put_secret("alice-s3", b"late");
    stage.import(&event, Some(&ten("one")), &[]).await;
    assert_eq!(stage.value("alice-s3").as_deref(), Some("one"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_imports_at_once_end_as_one_after_the_other() {
    let stage = Stage::start().await;
    let (one, two) = (push("alice", "one"), push("alice", "two"));
    let (first, second) = (sealed("alice-db", &[("k", "one's")]), sealed("alice-db", &[("k", "two's")]));
    let (a, b) = (import(&one, Some(&first), &[]), import(&two, Some(&second), &[]));
    let (a, b) = tokio::join!(stage.ask(&a), stage.ask(&b));
    let mut statuses = [a.0.as_u16(), b.0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let winner = if a.0 == StatusCode::OK { "one's" } else { "two's" };
    assert_eq!(stage.value("alice-db").as_deref(), Some(winner));
    // Of other names, both get through.
    let (a, b) = (sealed("alice-a", &[("k", "v")]), sealed("alice-b", &[("k", "v")]));
    let three = push("alice", "three");
    let four = push("alice", "four");
    let (a, b) = (import(&three, Some(&a), &[]), import(&four, Some(&b), &[]));
    let (a, b) = tokio::join!(stage.ask(&a), stage.ask(&b));
    assert_eq!((a.0, b.0), (StatusCode::OK, StatusCode::OK));
    assert_eq!(stage.look(&one, &["a", "b", "db"]).await.found.len(), 3);
}

#[tokio::test]
async fn a_damaged_record_stops_its_owner_and_nobody_else() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    stage.write_record(event.owner_id, &serde_json::json!({"secrets": 5}));
    let (status, text) = stage.refused(&event, &sealed("alice-db", &[("k", "v")])).await;
    assert_eq!(status, 500);
    assert!(text.contains("is not understood"), "{text}");
    stage.import(&push("bob", "secrets"), Some(&sealed("bob-db", &[("k", "v")])), &[]).await;
}
