//! What people may ask.

use std::time::Duration;

use axum::body::Body;
use chrono::{TimeDelta, Utc};
use http::{Method, Request, StatusCode};
use sdk::fake_gateway::PAYLOAD_SECRET;
use sdk::identity::{Identity, IdentityKey, Organisation, Role};
use sdk::sealing::{Report, Verified};
use sdk::signing::Key;
use sealed_secrets::Certificate;

use crate::setup::{NAMESPACE, Stage, foreign_key, key, name, own_key, push, sealed, sealed_to};

fn person(login: &str, organisations: &[(&str, Role)]) -> Identity {
    let organisation = |(login, role): &(&str, Role)| Organisation {
        id: push(login, "x").owner_id,
        login: login.parse().unwrap(),
        role: *role,
    };
    Identity {
        host: "git.localhost".to_owned(),
        id: push(login, "x").owner_id,
        login: login.parse().unwrap(),
        organisations: organisations.iter().map(organisation).collect(),
        operator: false,
    }
}

fn by(who: &Identity, method: Method, path: &str, body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
    IdentityKey::derive(&PAYLOAD_SECRET.into(), "import-secrets").tell(
        request.headers_mut(),
        who,
        Duration::from_secs(60),
    );
    request
}

fn signed(method: Method, path: &str, body: &str) -> Request<Body> {
    let headers =
        Key::derive(&PAYLOAD_SECRET.into(), "import-secrets").sign(&method, body.as_bytes(), Duration::from_secs(60));
    let request = headers
        .into_iter()
        .fold(Request::builder().method(method).uri(path), |request, (name, value)| request.header(name, value));
    request.body(Body::from(body.to_owned())).unwrap()
}

impl Stage {
    async fn verify(&self, who: &Identity, file: &str) -> (StatusCode, Verified) {
        let (status, text) = self.send(by(who, Method::POST, "/v1/verify", file)).await;
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")))
    }
}

#[tokio::test]
async fn everybody_may_have_the_newest_certificate() {
    let stage = Stage::start().await;
    let ask = || Request::get("/v1/cert.pem").body(Body::empty()).unwrap();
    let (status, pem) = stage.send(ask()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(&Certificate::from_pem(&pem).unwrap(), own_key().certificate());
    assert!(!pem.contains("PRIVATE"));
}

#[tokio::test]
async fn verify_tells_what_opens_and_to_which_certificate_and_no_value() {
    let mut stage = Stage::start().await;
    let newer = key("newer", Utc::now() - TimeDelta::days(1), TimeDelta::days(3650));
    stage.add_key("2.pem", &newer);
    stage.restart();
    let file = sealed("alice-old", &[("a", "v"), ("b", "v")])
        + &sealed_to(newer.certificate(), NAMESPACE, "alice-new", &[("k", "v")])
        + &sealed_to(foreign_key().certificate(), NAMESPACE, "alice-foreign", &[("k", "v")])
        + &sealed("bob-db", &[("k", "v")]);
    let (status, verified) = stage.verify(&person("alice", &[]), &file).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(verified.certificate.fingerprint, newer.certificate().fingerprint());
    let of = |name: &str| verified.secrets.iter().find(|secret| secret.name == name).unwrap();
    assert_eq!(of("alice-old").keys["a"].fingerprint, own_key().certificate().fingerprint());
    assert!(of("alice-old").opens && !of("alice-old").keys["b"].newest && of("alice-new").keys["k"].newest);
    assert!(!of("alice-foreign").opens && of("alice-foreign").problem.contains("another stage"));
    assert!(!of("bob-db").opens && of("bob-db").problem.contains("you belong to"));
    let (status, _) = stage.verify(&person("alice", &[]), &sealed("alice-old", &[("k", "v")])).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn only_members_may_ask_about_an_owners_names() {
    let stage = Stage::start().await;
    let file = sealed("acme-db", &[("k", "v")]);
    for (role, allowed) in [(Role::Viewer, false), (Role::Member, true), (Role::Owner, true)] {
        let (_, verified) = stage.verify(&person("alice", &[("acme", role)]), &file).await;
        assert_eq!(verified.secrets[0].opens, allowed, "{role:?}");
    }
    // `alice-x` is a tenant, so its names are not alice's.
    let (_, verified) = stage.verify(&person("alice", &[]), &sealed("alice-x-db", &[("k", "v")])).await;
    assert!(!verified.secrets[0].opens);
    let (_, verified) =
        stage.verify(&person("alice", &[("alice-x", Role::Member)]), &sealed("alice-x-db", &[("k", "v")])).await;
    assert!(verified.secrets[0].opens);
    let (status, text) = stage.send(by(&person("alice", &[]), Method::POST, "/v1/rotate", &file)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
}

#[tokio::test]
async fn nobody_gets_in_without_proof() {
    let stage = Stage::start().await;
    let routes = [(Method::POST, "/v1/verify"), (Method::POST, "/v1/rotate"), (Method::GET, "/v1/report")];
    for (method, path) in routes {
        let bare = Request::builder().method(method.clone()).uri(path).body(Body::empty()).unwrap();
        assert_eq!(stage.send(bare).await.0, StatusCode::UNAUTHORIZED, "{path}");
        let mut forged = by(&person("alice", &[]), method.clone(), path, "");
        forged.headers_mut().insert("x-auth-user", "bob".parse().unwrap());
        assert_eq!(stage.send(forged).await.0, StatusCode::UNAUTHORIZED, "{path}");
        let mut other = Request::builder().method(method.clone()).uri(path).body(Body::empty()).unwrap();
        let key = IdentityKey::derive(&PAYLOAD_SECRET.into(), "system-dashboard");
        key.tell(other.headers_mut(), &person("alice", &[]), Duration::from_secs(60));
        assert_eq!(stage.send(other).await.0, StatusCode::UNAUTHORIZED, "told to another function: {path}");
        let mut signed = signed(method, path, "");
        signed.headers_mut().insert("x-cloud-signature", "v1=00".parse().unwrap());
        assert_eq!(stage.send(signed).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn rotate_seals_to_the_newest_certificate_what_opens_the_same() {
    let stage = Stage::start().await;
    let newer = key("newer", Utc::now() - TimeDelta::days(1), TimeDelta::days(3650));
    stage.add_key("2.pem", &newer);
    let event = push("alice", "secrets");
    let file = sealed("alice-db", &[("a", "1"), ("b", "2")]);
    let before = stage.import(&event, Some(&file), &["db"]).await;
    let (status, rotated) = stage.send(by(&person("alice", &[]), Method::POST, "/v1/rotate", &file)).await;
    assert_eq!(status, StatusCode::OK, "{rotated}");
    let (_, verified) = stage.verify(&person("alice", &[]), &rotated).await;
    assert!(verified.secrets[0].opens && verified.secrets[0].keys.values().all(|key| key.newest), "{verified:?}");
    let after = stage.import(&event, Some(&rotated), &["db"]).await;
    assert_eq!(after.found, before.found, "no function is restarted for it");
    let foreign = sealed_to(foreign_key().certificate(), NAMESPACE, "alice-db", &[("k", "v")]);
    let (status, _) = stage.send(by(&person("alice", &[]), Method::POST, "/v1/rotate", &foreign)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn the_report_says_what_is_sealed_to_an_old_certificate() {
    let mut stage = Stage::start().await;
    let (alice, bob) = (push("alice", "secrets"), push("bob", "secrets"));
    stage.import(&alice, Some(&sealed("alice-db", &[("k", "v")])), &[]).await;
    stage.import(&bob, Some(&sealed("bob-db", &[("k", "v")])), &[]).await;
    let newer = key("newer", Utc::now() - TimeDelta::days(1), TimeDelta::days(3650));
    stage.add_key("2.pem", &newer);
    stage.restart();
    let (status, text) = stage.send(by(&person("alice", &[]), Method::GET, "/v1/report", "")).await;
    assert_eq!(status, StatusCode::OK);
    let report: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(report.certificate.fingerprint, newer.certificate().fingerprint());
    assert_eq!(report.owners.len(), 1, "alice's alone: {text}");
    let secret = &report.owners[0].secrets[&name("db")];
    assert_eq!((secret.name.as_str(), secret.repo.as_str(), secret.leaving), ("alice-db", "secrets", false));
    assert!(!secret.keys["k"].newest && secret.keys["k"].fingerprint == own_key().certificate().fingerprint());
    let (_, text) = stage.send(by(&person("carol", &[("bob", Role::Viewer)]), Method::GET, "/v1/report", "")).await;
    assert!(serde_json::from_str::<Report>(&text).unwrap().owners.is_empty());
    let (_, text) = stage.send(signed(Method::GET, "/v1/report", "")).await;
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap().owners.len(), 2, "the platform sees all");
}

#[tokio::test]
async fn bodies_have_an_end() {
    let stage = Stage::start().await;
    let long = "#".repeat(600 * 1024);
    let (status, _) = stage.send(by(&person("alice", &[]), Method::POST, "/v1/verify", &long)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let many: String = (0..101)
        .map(|n| crate::setup::document(NAMESPACE, &format!("alice-s{n}"), &[("k", "AAAA".to_owned())]))
        .collect();
    let (status, text) = stage.send(by(&person("alice", &[]), Method::POST, "/v1/verify", &many)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{text}");
}

/// A caller has one processor at most: its second request waits for nobody and is told to come later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_served_twice_at_the_same_time() {
    let stage = Stage::start().await;
    let file: String = (0..60).map(|n| sealed(&format!("alice-s{n}"), &[("k", "v")])).collect();
    let alice = person("alice", &[]);
    let ask = || stage.send(by(&alice, Method::POST, "/v1/verify", &file));
    let answers = tokio::join!(ask(), ask(), ask(), ask());
    let mut statuses = [answers.0.0, answers.1.0, answers.2.0, answers.3.0].map(|status| status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(ask().await.0, StatusCode::OK, "and then again");
}
