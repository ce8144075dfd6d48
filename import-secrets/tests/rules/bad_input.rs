//! Files that should not be there.

use chrono::{TimeDelta, Utc};
use sealed_secrets::KeyPair;

use crate::setup::{NAMESPACE, Stage, document, key, own_key, push, sealed, sealed_to};

fn value(name: &str) -> String {
    sealed_secrets::seal(own_key().certificate(), NAMESPACE, name, b"v").unwrap()
}

#[tokio::test]
async fn damaged_values_and_wrong_places_are_refused_each_with_its_reason() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    let own = own_key().certificate();
    let good = value("alice-db");
    let flipped = |at: usize| {
        let old = good.as_bytes()[at];
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if old == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let doc = |sealed: String| document(NAMESPACE, "alice-db", &[("k", sealed)]);
    let cases = [
        (sealed_to(own, "elsewhere", "alice-db", &[("k", "v")]), "namespace"),
        (doc(value("alice-other")), "no key of this stage opens it"),
        (doc(good[..good.len() / 2 / 4 * 4].to_owned()), "its end is missing"),
        (doc(good[..8].to_owned()), "its end is missing"),
        (doc(String::new()), ""),
        (doc(flipped(100)), "no key of this stage opens it"),
        (doc(flipped(good.len() - 10)), "it was changed after it was sealed"),
        (doc("not base64!".to_owned()), "is not sealed"),
    ];
    for (file, reason) in cases {
        let (status, text) = stage.refused(&event, &file).await;
        assert_eq!(status, 422, "{text}");
        assert!(text.contains(reason), "{reason}: {text}");
    }
    assert!(stage.gateway.secret_names().is_empty());
}

#[tokio::test]
async fn a_value_that_anybody_could_open_elsewhere_is_refused() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    for scope in ["cluster-wide", "namespace-wide"] {
        let wider = format!("  annotations:\n    sealedsecrets.bitnami.com/{scope}: \"true\"\n");
        let file = sealed("alice-db", &[("k", "v")]).replace("spec:\n", &format!("{wider}spec:\n"));
        let (status, text) = stage.refused(&event, &file).await;
        assert_eq!(status, 422, "{text}");
        assert!(text.contains("strict"), "{text}");
    }
}

/// What is sealed to a certificate whose time is over opens as long as its key is there; sealing is what it is too late for.
#[tokio::test]
async fn an_expired_certificate_still_opens_and_another_key_size_does_not() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    let old = key("expired", Utc::now() - TimeDelta::days(4000), TimeDelta::days(3650));
    assert!(old.certificate().check_valid(Utc::now()).is_err());
    let file = sealed_to(old.certificate(), NAMESPACE, "alice-db", &[("k", "old")]);
    assert_eq!(stage.refused(&event, &file).await.0, 422, "its key is not there");
    stage.add_key("0.pem", &old);
    stage.import(&event, Some(&file), &[]).await;
    assert_eq!(stage.value("alice-db").as_deref(), Some("old"));
    // What a key of 2,048 bits sealed begins with 256 bytes, and not with 512.
    let short = [&256u16.to_be_bytes()[..], &[7; 300]].concat();
    let short = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, short);
    let (status, text) = stage.refused(&event, &document(NAMESPACE, "alice-db", &[("k", short)])).await;
    assert_eq!(status, 422, "{text}");
    assert_eq!(stage.value("alice-db").as_deref(), Some("old"));
}

#[tokio::test]
async fn files_without_measure_are_refused_at_once() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    let many: String =
        (0..1000).map(|n| document(NAMESPACE, &format!("alice-s{n}"), &[("k", "AAAA".to_owned())])).collect();
    let (status, text) = stage.refused(&event, &many).await;
    assert_eq!(status, 422);
    assert!(text.contains("256 secrets"), "{text}");
    let laughs: String =
        (1..10).map(|n| format!("l{n}: &l{n} [{}]\n", vec![format!("*l{}", n - 1); 10].join(", "))).collect();
    let bomb = format!("l0: &l0 lol\n{laughs}{}", sealed("alice-db", &[("k", "v")]).replace("---\n", ""));
    assert_eq!(stage.refused(&event, &bomb).await.0, 422);
    let deep = format!("a: {}{}\n", "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(stage.refused(&event, &deep).await.0, 422);
    let long = format!("# {}\n", "x".repeat(3 * 1024 * 1024));
    assert_eq!(stage.refused(&event, &long).await.0, 422);
    for text in ["\0", "kind: Secret\n", "- a\n", "a: b\na: c\n", "%YAML 9\n", "*x"] {
        let (status, answer) = stage.refused(&event, text).await;
        assert_eq!(status, 422, "{text}: {answer}");
    }
    assert!(stage.gateway.secret_names().is_empty());
}

#[tokio::test]
async fn names_twice_and_keys_that_are_no_files_are_refused() {
    let stage = Stage::start().await;
    let event = push("alice", "secrets");
    let one = sealed("alice-db", &[("k", "v")]);
    let (status, text) = stage.refused(&event, &(one.clone() + &one)).await;
    assert_eq!(status, 422, "{text}");
    assert!(text.contains("alice-db"), "{text}");
    for key in ["", "..", "../passwd", "a/b", "a b", "ä", &"k".repeat(200)] {
        let (status, text) = stage.refused(&event, &document(NAMESPACE, "alice-db", &[(key, value("alice-db"))])).await;
        assert_eq!(status, 422, "{key}: {text}");
    }
    assert!(stage.gateway.secret_names().is_empty());
}

#[tokio::test]
async fn a_line_that_is_known_is_told() {
    let stage = Stage::start().await;
    let file = sealed("alice-db", &[("k", "v")]) + "---\nkind: Secret\n";
    let (_, text) = stage.refused(&push("alice", "secrets"), &file).await;
    let told: sdk::secrets::NotImported = serde_json::from_str(&text).unwrap();
    assert!(told.line.unwrap() > 10, "{told:?}");
}

#[tokio::test]
async fn of_many_values_that_do_not_open_only_a_few_are_tried_and_fewer_named() {
    let stage = Stage::start().await;
    let foreign: KeyPair = crate::setup::foreign_key();
    let file: String =
        (0..60).map(|n| sealed_to(foreign.certificate(), NAMESPACE, &format!("alice-s{n}"), &[("k", "v")])).collect();
    let (status, text) = stage.refused(&push("alice", "secrets"), &file).await;
    assert_eq!(status, 422);
    assert!(text.ends_with("and 57 more") && text.len() < 1500, "{text}");
}

#[tokio::test]
async fn messages_that_cannot_be_meant_are_refused() {
    let stage = Stage::start().await;
    let mut nobody = push("alice", "secrets");
    nobody.owner_id = 0;
    assert_eq!(stage.refused(&nobody, "").await.0, 400);
    let mut restart = push("alice", "secrets");
    restart.restart = vec!["fn".parse().unwrap()];
    assert_eq!(stage.refused(&restart, "").await.0, 400);
    let unsigned = http::Request::post("/").body(axum::body::Body::from("{}")).unwrap();
    assert_eq!(stage.send(unsigned).await.0, 401);
    let message = crate::setup::import(&push("alice", "secrets"), None, &[]);
    assert_eq!(
        stage.send(stage.gateway.signed("git-tar", &message, "call-1")).await.0,
        401,
        "meant for another function"
    );
}
