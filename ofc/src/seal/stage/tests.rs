use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::response::IntoResponse;
use axum::routing::post;
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

/// A stage that answers so, and keeps what it was asked.
struct Answers {
    answers: Mutex<Vec<(u16, String)>>,
    asked: Mutex<Vec<(HeaderMap, String)>>,
}

/// That stage, as one at which somebody is signed in.
async fn stage(answers: &[(u16, String)]) -> (Stage, Arc<Answers>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let kept = Arc::new(Answers { answers: Mutex::new(answers.to_vec()), asked: Mutex::default() });
    let own = Arc::clone(&kept);
    let answer = move |headers: HeaderMap, body: Bytes| {
        let own = Arc::clone(&own);
        async move {
            own.asked.lock().unwrap().push((headers, String::from_utf8(body.to_vec()).unwrap()));
            let (status, text) = own.answers.lock().unwrap().remove(0);
            (StatusCode::from_u16(status).unwrap(), text).into_response()
        }
    };
    let routes = Router::new().route("/v1/verify", post(answer.clone())).route("/v1/rotate", post(answer));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (Stage::elsewhere(&url, &signed_in(&url).1).unwrap(), kept)
}

fn signed_in(url: &str) -> (tempfile::TempDir, Credentials) {
    let folder = tempfile::tempdir().unwrap();
    let env = Env::from_map([("XDG_CONFIG_HOME", folder.path().to_string_lossy())], [] as [(&str, &str); 0]);
    let mut kept = Credentials::open(&env).unwrap();
    let origin = Service::at(url).unwrap().origin();
    kept.keep(&origin, Credential { token: "ofct_1".into() }).unwrap();
    (folder, kept)
}

fn document(name: &str, keys: &[&str]) -> SealedSecret {
    let encrypted_data = keys.iter().map(|key| ((*key).to_owned(), "AgBy".to_owned())).collect();
    SealedSecret { name: name.into(), namespace: "openfaas-fn".into(), encrypted_data, ..Default::default() }
}

fn verified(secrets: &Value) -> String {
    let certificate =
        json!({ "fingerprint": "ab", "not_before": "2026-01-01T00:00:00Z", "not_after": "2036-01-01T00:00:00Z" });
    json!({ "certificate": certificate, "secrets": secrets }).to_string()
}

fn shown<T: std::fmt::Debug>(result: anyhow::Result<T>) -> String {
    crate::report::render(&result.unwrap_err())
}

#[tokio::test]
async fn a_stage_is_asked_with_the_token_of_its_own_platform() {
    let told = json!([{ "name": "alice-a", "opens": true, "keys": { "k": { "newest": true } } },
                      { "name": "alice-b", "opens": false, "problem": "no" }]);
    let (stage, kept) = stage(&[(429, String::new()), (409, verified(&told))]).await;
    let answer = stage.verify(&[document("alice-a", &["k"]), document("alice-b", &["k"])]).await.unwrap();
    assert_eq!(answer.iter().map(|secret| secret.opens).collect::<Vec<_>>(), [true, false]);
    let asked = kept.asked.lock().unwrap();
    assert_eq!(asked.len(), 2, "a busy stage is asked again");
    assert_eq!(asked[1].0["authorization"], "Bearer ofct_1");
    assert!(asked[1].0["host"].to_str().unwrap().starts_with("system.localhost:"));
    assert!(asked[1].1.contains("alice-a"));
    assert!(!format!("{stage:?}").contains("ofct_1"));
}

#[test]
fn no_other_host_gets_the_token() {
    let (_folder, kept) = signed_in("https://example.com");
    for url in ["https://example.com", "https://system.example.com", "https://system.example.com/v1/cert.pem?x"] {
        let stage = Stage::elsewhere(url, &kept).unwrap();
        assert_eq!(stage.base.as_str(), "https://system.example.com/", "{url}");
    }
    for url in ["https://example.org", "https://alice.example.com", "https://example.com:8443", "http://example.com"] {
        assert!(Stage::elsewhere(url, &kept).is_err(), "{url}");
    }
    assert!(shown(Stage::elsewhere("https://example.org", &kept)).contains("ofc login --url https://example.org"));
}

#[tokio::test]
async fn only_sealed_values_are_taken_from_an_answer() {
    let mut answered = document("alice-a", &["k", "l"]);
    answered.encrypted_data.insert("k".into(), "AgFresh".into());
    answered.annotations.insert("evil".into(), "x".into());
    answered.set_fingerprint("cd34");
    let (stage, _) = stage(&[(200, to_yaml(&answered))]).await;
    let mut asked = document("alice-a", &["k", "l"]);
    asked.labels.insert("mine".into(), "y".into());
    let fresh = stage.rotate(&[asked.clone()]).await.unwrap();
    assert_eq!(fresh[0].encrypted_data["k"], "AgFresh");
    assert_eq!((fresh[0].fingerprint(), fresh[0].stage()), (Some("cd34"), Some(stage.name.as_str())));
    assert!(fresh[0].labels.contains_key("mine") && !fresh[0].annotations.contains_key("evil"));
}

#[tokio::test]
async fn answers_about_something_else_change_nothing() {
    let others = [
        to_yaml(&document("alice-b", &["k"])),
        to_yaml(&document("alice-a", &["k", "more"])),
        String::new(),
        "kind: Secret\n".to_owned(),
    ];
    for other in others {
        let (stage, _) = stage(&[(200, other)]).await;
        assert!(shown(stage.rotate(&[document("alice-a", &["k"])]).await).contains("as a platform of this release"));
    }
    let (stage, _) = stage(&[(200, verified(&json!([])))]).await;
    assert!(shown(stage.verify(&[document("alice-a", &["k"])]).await).contains("says nothing of a secret"));
}

#[tokio::test]
async fn refusals_are_told_in_the_stages_words() {
    let refused = async |status, text: &str| {
        let (stage, _) = stage(&[(status, text.to_owned())]).await;
        let port = stage.name.rsplit(':').next().unwrap().to_owned();
        shown(stage.rotate(&[document("alice-a", &["k"])]).await).replace(&port, "PORT")
    };
    insta::assert_snapshot!(refused(401, "the token is not known").await, @r"
    http://system.localhost:PORT does not know who you are: the token is not known
      hint: sign in again with `ofc login`
    ");
    insta::assert_snapshot!(refused(409, "alice-a: k: it was changed\u{1b}[31m").await, @"http://system.localhost:PORT refuses: alice-a: k: it was changed[31m");
    insta::assert_snapshot!(refused(404, "").await, @r"
    http://system.localhost:PORT has no import-secrets, which keeps secrets
      hint: is it the stage's address, and a platform of this release?
    ");
    assert!(refused(503, "").await.contains("it answers 503"));
    assert!(refused(307, "").await.contains("it answers 307"));
}

#[tokio::test]
async fn a_secret_in_parts_opens_if_all_parts_do() {
    let keys: Vec<String> = (0..150).map(|n| format!("k{n:03}")).collect();
    let many = document("alice-a", &keys.iter().map(String::as_str).collect::<Vec<_>>());
    let part = |opens, key: &str| {
        json!([{ "name": "alice-a", "opens": opens, "problem": if opens { "" } else { "no" },
                 "keys": { key: { "newest": true } } }])
    };
    let answers = [(200, verified(&part(true, "k000"))), (409, verified(&part(false, "k149")))];
    let (stage, kept) = stage(&answers).await;
    let told = stage.verify(&[many]).await.unwrap();
    assert_eq!((told.len(), told[0].opens, told[0].problem.as_str()), (1, false, "no"));
    assert_eq!(kept.asked.lock().unwrap().len(), 2);
}
