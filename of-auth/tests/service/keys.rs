//! Signing keys change without anybody noticing, or at once.

use http::Method;
use serde_json::json;

use crate::support::{AUTH_HOST, ISSUER, Service};

#[tokio::test]
async fn a_new_key_signs_and_the_old_one_is_believed() {
    let service = Service::start().await;
    let mut operator = service.signed_in("operator").await;
    let api = service.api_token(&mut operator, &["write"]).await;
    let before = operator.token(AUTH_HOST);
    let old = service.jwks().await.keys[0].kid.clone();
    assert_eq!(service.api(Method::POST, "/api/keys/rotate", Some(&api), Some(json!({}))).await.0, 204);
    let keys = service.jwks().await.keys;
    assert_eq!((keys.len(), &keys[1].kid), (2, &old));
    assert!(service.verifier().await.verify(&before, AUTH_HOST, service.clock.now()).is_ok());
    service.clock.advance(601);
    let renewed = service.ask(AUTH_HOST, &before).await.unwrap().renewed.unwrap();
    let kid = |token: &str| {
        use base64::Engine;
        let header = token.split('.').next().unwrap();
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap();
        serde_json::from_slice::<serde_json::Value>(&header).unwrap()["kid"].clone()
    };
    assert_eq!(kid(&before), json!(old));
    assert_eq!(kid(&renewed), json!(keys[0].kid));
    let service = service.restart().await;
    assert_eq!(service.jwks().await.keys, keys);
    service.trail.has("Changed the signing key as an operator.").await;
}

#[tokio::test]
async fn a_key_that_is_known_to_others_is_forgotten_at_once() {
    let service = Service::start().await;
    let mut operator = service.signed_in("operator").await;
    let api = service.api_token(&mut operator, &["write"]).await;
    let alice = service.signed_in("alice").await.token(AUTH_HOST);
    let sid = service.ask(AUTH_HOST, &alice).await.unwrap().claims.sid;
    let mut listener = service.listen().await;
    let body = Some(json!({"forget_others": true}));
    assert_eq!(service.api(Method::POST, "/api/keys/rotate", Some(&api), body).await.0, 204);
    listener.hears_the_end_of(&sid).await;
    assert_eq!(service.jwks().await.keys.len(), 1);
    assert_eq!(service.ask(AUTH_HOST, &alice).await.unwrap_err(), 401);
}

#[tokio::test]
async fn operators_end_sessions_and_nobody_else_does() {
    let service = Service::start().await;
    let mut operator = service.signed_in("operator").await;
    let mut bob = service.signed_in("bob").await;
    let (ops, bobs) =
        (service.api_token(&mut operator, &["write"]).await, service.api_token(&mut bob, &["write"]).await);
    let alice = service.signed_in("alice").await.token(AUTH_HOST);
    let sid = service.ask(AUTH_HOST, &alice).await.unwrap().claims.sid;
    let revoke =
        async |token: &str, body| service.api(Method::POST, "/api/sessions/revoke", Some(token), Some(body)).await;
    assert_eq!(revoke(&bobs, json!({"all": true})).await.0, 403);
    assert_eq!(service.api(Method::POST, "/api/keys/rotate", Some(&bobs), Some(json!({}))).await.0, 403);
    service.trail.has("bob (127.0.0.1/43): Was refused to end sessions: no operator.").await;
    for nonsense in [
        json!({}),
        json!({"sid": "a", "all": true}),
        json!({"everybody": true}),
        json!([]),
        json!({"sid": "a", "tokens": true}),
    ] {
        assert_eq!(revoke(&ops, nonsense.clone()).await.0, 400, "{nonsense}");
    }
    let mut listener = service.listen().await;
    assert_eq!(revoke(&ops, json!({"subject": "127.0.0.1/42"})).await, (200, json!({"ended": 1, "tokens": 0})));
    listener.hears_the_end_of(&sid).await;
    assert_eq!(service.ask(AUTH_HOST, &alice).await.unwrap_err(), 401);
    assert_eq!(revoke(&ops, json!({"sid": "unknown"})).await, (200, json!({"ended": 0, "tokens": 0})));
    assert_eq!(revoke(&ops, json!({"all": true, "tokens": false})).await, (200, json!({"ended": 2, "tokens": 0})));
    assert_eq!(service.api(Method::GET, "/api/me", Some(&bobs), None).await.0, 200, "tokens were to stay");
}

#[tokio::test]
async fn operators_end_api_tokens_together_with_sessions() {
    let service = Service::start().await;
    let (mut operator, mut bob) = (service.signed_in("operator").await, service.signed_in("bob").await);
    let ops = service.api_token(&mut operator, &["write"]).await;
    let spare = service.api_token(&mut operator, &["read"]).await;
    let bobs = service.api_token(&mut bob, &["read"]).await;
    let id = service.ask(AUTH_HOST, &bobs).await.unwrap().claims.sid;
    let revoke = async |body| service.api(Method::POST, "/api/sessions/revoke", Some(&ops), Some(body)).await;
    // A command line to which bob has said yes, and which has not fetched its token yet.
    let wish = json!({"name": "laptop", "scopes": ["read"]});
    let begun = service.api(Method::POST, "/api/device", None, Some(wish)).await.1;
    let code = begun["user_code"].as_str().unwrap().to_owned();
    let said = bob.post(&format!("{ISSUER}/device"), &[("user_code", &code), ("decision", "grant")]).await;
    assert_eq!(said.status, 200, "{}", said.text);

    let mut listener = service.listen().await;
    assert_eq!(revoke(json!({"subject": "127.0.0.1/43"})).await, (200, json!({"ended": 1, "tokens": 1})));
    listener.hears_the_end_of(&id).await;
    assert_eq!(service.ask(AUTH_HOST, &bobs).await.unwrap_err(), 401);
    let fetch = json!({"device_code": begun["device_code"]});
    let (status, answer) = service.api(Method::POST, "/api/device/token", None, Some(fetch)).await;
    assert_eq!((status, &answer["error"]), (400, &json!("expired_token")));
    assert_eq!(service.api(Method::GET, "/api/me", Some(&spare), None).await.0, 200, "others' stay");
    service.trail.has("Ended the sessions and the API tokens of 127.0.0.1/43 as an operator: 1 and 1.").await;

    assert_eq!(revoke(json!({"all": true})).await, (200, json!({"ended": 1, "tokens": 1})));
    assert_eq!(service.api(Method::GET, "/api/me", Some(&spare), None).await.0, 401);
    assert_eq!(service.api(Method::GET, "/api/me", Some(&ops), None).await.0, 200, "the one that asks stays");
}
