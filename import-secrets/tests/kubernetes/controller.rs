//! What is asked of the controller.

use std::time::Duration;

use axum::body::Body;
use chrono::{TimeDelta, Utc};
use http::{Method, Request};
use sdk::fake_gateway::PAYLOAD_SECRET;
use sdk::signing::Key;
use sealed_secrets::documents::{self, Limits};
use sealed_secrets::{Certificate, Keyring};
use secrecy::ExposeSecret as _;

use crate::setup::{foreign_key, key, own_key, push, sealed, until};
use crate::stage::InCluster;

#[tokio::test]
async fn its_certificate_is_published() {
    let stage = InCluster::start().await;
    let (status, pem) = stage.send(Request::get("/v1/cert.pem").body(Body::empty()).unwrap()).await;
    assert_eq!(status, 200);
    assert_eq!(&Certificate::from_pem(&pem).unwrap(), own_key().certificate());
}

#[tokio::test]
async fn it_is_asked_slowly_where_it_wants_that() {
    let stage = InCluster::start().await;
    stage.cluster.state().questions = 1;
    let file: String = (0..3).map(|n| sealed(&format!("alice-s{n}"), &[("k", "v")])).collect();
    let known = stage.import(&push("alice", "secrets"), Some(&file), &[]).await;
    assert_eq!(known.done.created, 3);
    assert!(stage.cluster.requests("VERIFY") > 3, "it was asked again after a pause");
}

#[tokio::test]
async fn an_import_that_runs_out_of_time_goes_on_where_it_was() {
    let stage = InCluster::with(&[("verify_timeout", "100ms")]).await;
    let event = push("alice", "secrets");
    let file: String = (0..3).map(|n| sealed(&format!("alice-s{n}"), &[("k", "v")])).collect();
    for tries in 1..=3 {
        stage.cluster.state().questions = 1;
        if tries == 3 {
            assert_eq!(stage.import(&event, Some(&file), &[]).await.done.created, 3);
        } else {
            let (status, text) = stage.refused(&event, &file).await;
            assert_eq!((status, text.as_str()), (502, "cannot ask the Sealed Secrets controller now"));
            assert!(stage.cluster.names().0.is_empty(), "nothing is written before all is checked");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_lost_between_question_and_write_undoes_the_import() {
    let stage = InCluster::start().await;
    let event = push("alice", "secrets");
    stage.cluster.change(|state| state.controller = false);
    let file = sealed("alice-db", &[("k", "v")]);
    let import = async { stage.refused(&event, &file).await };
    let lose = async {
        until("the object", || stage.cluster.sealed("alice-db").is_some()).await;
        stage.cluster.change(|state| {
            state.ring = Keyring::from_pem(foreign_key().to_pem().expose_secret()).unwrap();
            state.controller = true;
        });
    };
    let ((status, text), ()) = tokio::join!(import, lose);
    assert_eq!(status, 422, "{text}");
    assert_eq!(text, "alice-db: no key of this stage opens it");
    assert_eq!(stage.cluster.names(), (vec![], vec![]));
}

#[tokio::test]
async fn it_seals_anew_to_the_newest_certificate() {
    let stage = InCluster::start().await;
    let newer = key("newer", Utc::now() - TimeDelta::days(1), TimeDelta::days(3650));
    let both = format!("{}{}", own_key().to_pem().expose_secret(), newer.to_pem().expose_secret());
    stage.cluster.change(|state| state.ring = Keyring::from_pem(&both).unwrap());
    let file = sealed("alice-db", &[("a", "1"), ("b", "2")]);
    let (status, text) = stage.send(signed("/v1/rotate", &file)).await;
    assert_eq!(status, 200, "{text}");
    let document = documents::parse(&text, &Limits::default()).unwrap().remove(0);
    let ring = Keyring::from_pem(newer.to_pem().expose_secret()).unwrap();
    for (key, value) in [("a", "1"), ("b", "2")] {
        let opened = ring.open("openfaas-fn", "alice-db", &document.encrypted_data[key]).unwrap();
        assert_eq!(opened.value.expose_secret(), value.as_bytes());
    }
    let foreign = crate::setup::sealed_to(foreign_key().certificate(), "openfaas-fn", "alice-db", &[("k", "v")]);
    assert!(stage.send(signed("/v1/rotate", &foreign)).await.0.is_client_error());
}

#[tokio::test]
async fn one_that_is_not_there_is_worth_another_try() {
    let stage = InCluster::with(&[("controller_url", "http://127.0.0.1:1")]).await;
    let (status, text) = stage.refused(&push("alice", "secrets"), &sealed("alice-db", &[("k", "v")])).await;
    assert_eq!((status, text.as_str()), (502, "cannot ask the Sealed Secrets controller now"));
    let (status, _) = stage.send(Request::get("/v1/cert.pem").body(Body::empty()).unwrap()).await;
    assert_eq!(status, 502);
}

fn signed(path: &str, body: &str) -> Request<Body> {
    let key = Key::derive(&PAYLOAD_SECRET.into(), "import-secrets");
    let headers = key.sign(&Method::POST, body.as_bytes(), Duration::from_secs(60));
    let request = headers.into_iter().fold(Request::post(path), |request, (name, value)| request.header(name, value));
    request.body(Body::from(body.to_owned())).unwrap()
}
