//! Rule 5: a function that needs a missing secret waits for it, and is pushed again when it arrives.

use crate::setup::{Stage, names, push, sealed};

#[tokio::test]
async fn a_push_that_waited_comes_again_when_its_last_secret_arrives() {
    let stage = Stage::start().await;
    let (code, secrets) = (push("alice", "app"), push("alice", "secrets"));
    let known = stage.import(&code, None, &["db", "api"]).await;
    assert_eq!((known.missing, known.found.len()), (names(&["db", "api"]), 0));
    let db = sealed("alice-db", &[("k", "v")]);
    stage.import(&secrets, Some(&db), &[]).await;
    assert!(stage.pushes().is_empty(), "one is still missing");
    let both = db + &sealed("alice-api", &[("k", "v")]);
    stage.import(&secrets, Some(&both), &[]).await;
    assert_eq!(stage.pushes(), std::slice::from_ref(&code));
    assert!(stage.gateway.messages("git-tar")[0].queued);
    let known = stage.import(&code, None, &["db", "api"]).await;
    assert!(known.missing.is_empty());
    assert_eq!(known.found[&"db".parse().unwrap()].names, ["alice-db"]);
    stage.import(&secrets, Some(&both), &[]).await;
    assert_eq!(stage.pushes().len(), 1, "it is told once");
}

#[tokio::test]
async fn a_question_is_not_remembered() {
    let stage = Stage::start().await;
    let (code, secrets) = (push("alice", "app"), push("alice", "secrets"));
    assert_eq!(stage.look(&code, &["db"]).await.missing, names(&["db"]));
    stage.import(&secrets, Some(&sealed("alice-db", &[("k", "v")])), &[]).await;
    assert!(stage.pushes().is_empty());
    assert!(stage.look(&code, &["db"]).await.missing.is_empty());
}

#[tokio::test]
async fn who_could_not_be_told_is_told_with_the_next_message() {
    let stage = Stage::start().await;
    let (code, secrets) = (push("alice", "app"), push("alice", "secrets"));
    stage.import(&code, None, &["db"]).await;
    stage.gateway.refuse_next("POST /async-function/git-tar", http::StatusCode::SERVICE_UNAVAILABLE, "full");
    stage.import(&secrets, Some(&sealed("alice-db", &[("k", "v")])), &[]).await;
    assert!(stage.pushes().is_empty());
    stage.prune(&secrets).await;
    assert_eq!(stage.pushes(), [code]);
}

#[tokio::test]
async fn a_secret_that_somebody_makes_by_hand_is_found_and_ends_the_wait() {
    let stage = Stage::start().await;
    let code = push("alice", "app");
    assert_eq!(stage.import(&code, None, &["db"]).await.missing, names(&["db"]));
    stage.gateway.put_secret("alice-db", b"by hand");
    stage.prune(&push("alice", "other")).await;
    assert_eq!(stage.pushes(), std::slice::from_ref(&code));
    let known = stage.import(&code, None, &["db"]).await;
    let found = &known.found[&"db".parse().unwrap()];
    assert_eq!((found.version.as_str(), found.names.as_slice()), ("", &["alice-db".to_owned()][..]));
    assert_eq!(stage.pushes().len(), 1);
}
