//! API tokens: made once, kept as a hash, limited, taken back.

use http::Method;
use serde_json::json;
use session::protocol::Scope;

use crate::support::{AUTH_HOST, ISSUER, Service};

#[tokio::test]
async fn a_token_says_whose_it_is_and_what_it_is_for() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    let token = service.api_token(&mut browser, &["invoke", "read"]).await;
    let answer = service.ask("acme.example.com", &token).await.unwrap();
    assert_eq!(answer.claims.sub, "127.0.0.1/42");
    assert_eq!(answer.claims.aud, "acme.example.com");
    assert_eq!(answer.claims.who.organisations.len(), 1);
    assert_eq!(answer.scopes.unwrap(), [Scope::Invoke, Scope::Read].into());
    assert_eq!((answer.renewed, answer.keep), (None, 5));
    let page = browser.get(&format!("{ISSUER}/tokens")).await.text;
    assert!(page.contains("laptop") && !page.contains(&token), "shown once: {page}");
    service.trail.has("Made the API token 'laptop' for: invoke read.").await;
}

#[tokio::test]
async fn s10_tokens_are_hashed_at_rest() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    let token = service.api_token(&mut browser, &["read"]).await;
    let secret = token.strip_prefix("ofct_").unwrap();
    assert!(!service.files().windows(secret.len()).any(|window| window == secret.as_bytes()));
    assert!(service.ask(AUTH_HOST, &token).await.is_ok());
}

#[tokio::test]
async fn a_token_ends_in_its_time() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    let token = service.api_token(&mut browser, &["read"]).await;
    service.clock.advance(30 * 24 * 3600 - 60);
    let answer = service.ask(AUTH_HOST, &token).await.unwrap();
    assert!(answer.claims.exp <= service.clock.now() + 60, "no answer outlives the token");
    service.clock.advance(60);
    assert_eq!(service.ask(AUTH_HOST, &token).await.unwrap_err(), 401);
}

#[tokio::test]
async fn a_token_that_is_taken_back_is_told_at_once() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    let token = service.api_token(&mut browser, &["read"]).await;
    let id = service.ask(AUTH_HOST, &token).await.unwrap().claims.sid;
    let mut listener = service.listen().await;
    // Somebody else's stays.
    let mut bob = service.signed_in("bob").await;
    bob.post(&format!("{ISSUER}/tokens/revoke"), &[("id", &id)]).await;
    assert!(service.ask(AUTH_HOST, &token).await.is_ok());
    assert_eq!(browser.post(&format!("{ISSUER}/tokens/revoke"), &[("id", &id)]).await.status, 303);
    listener.hears_the_end_of(&id).await;
    assert_eq!(service.ask(AUTH_HOST, &token).await.unwrap_err(), 401);
}

#[tokio::test]
async fn a_token_ends_with_its_person() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    let token = service.api_token(&mut browser, &["read"]).await;
    std::fs::write(service.folder.path().join("customers.txt"), "somebody-else\n").unwrap();
    assert_eq!(service.ask(AUTH_HOST, &token).await.unwrap_err(), 401);
}

#[tokio::test]
async fn the_interface_makes_lists_and_takes_back() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    let token = service.api_token(&mut browser, &["read", "write"]).await;
    let (status, me) = service.api(Method::GET, "/api/me", Some(&token), None).await;
    assert_eq!((status, &me["login"], &me["subject"]), (200, &json!("alice"), &json!("127.0.0.1/42")));
    let wish = json!({"name": "ci", "scopes": ["read"], "days": 1});
    let (status, made) = service.api(Method::POST, "/api/tokens", Some(&token), Some(wish)).await;
    assert_eq!(status, 201, "{made}");
    let ci = made["token"].as_str().unwrap();
    let (_, list) = service.api(Method::GET, "/api/tokens", Some(ci), None).await;
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert!(!list.to_string().contains("ofct_") && list[1]["used"].is_u64(), "{list}");
    let path = format!("/api/tokens/{}", made["id"].as_str().unwrap());
    let (status, refused) = service.api(Method::DELETE, &path.replace("t-", "t-0"), Some(&token), None).await;
    assert_eq!((status, &refused["error"]), (404, &json!("not_found")));
    assert_eq!(service.api(Method::DELETE, &path, Some(&token), None).await.0, 204);
    assert_eq!(service.api(Method::GET, "/api/me", Some(ci), None).await.0, 401);
    assert_eq!(service.api(Method::DELETE, "/api/tokens/current", Some(&token), None).await.0, 204);
    assert_eq!(service.api(Method::GET, "/api/me", Some(&token), None).await.0, 401);
}

#[tokio::test]
async fn a_token_gives_no_more_than_it_has() {
    let service = Service::start().await;
    let mut browser = service.signed_in("operator").await;
    let reads = service.api_token(&mut browser, &["read"]).await;
    let writes = service.api_token(&mut browser, &["write"]).await;
    let wish = |scope: &str| Some(json!({"name": "more", "scopes": [scope]}));
    for (token, method, path, body) in [
        (&reads, Method::POST, "/api/tokens", wish("read")),
        (&writes, Method::POST, "/api/tokens", wish("invoke")),
        (&writes, Method::GET, "/api/tokens", None),
        (&reads, Method::POST, "/api/sessions/revoke", Some(json!({"all": true}))),
        (&reads, Method::POST, "/api/keys/rotate", Some(json!({}))),
    ] {
        let (status, refused) = service.api(method, path, Some(token), body).await;
        assert_eq!((status, &refused["error"]), (403, &json!("insufficient_scope")), "{path}");
    }
    assert_eq!(service.api(Method::POST, "/api/tokens", Some(&writes), wish("write")).await.0, 201);
    service.trail.has("was refused: it lacks the scope").await;
}

#[tokio::test]
async fn who_has_no_token_gets_nothing() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    // A cookie does not open the interface.
    assert_eq!(browser.get(&format!("{ISSUER}/api/me")).await.status, 401);
    let session = browser.token(AUTH_HOST);
    for token in [None, Some(session.as_str()), Some("ofct_"), Some("ofct_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    {
        for (method, path) in [
            (Method::GET, "/api/me"),
            (Method::GET, "/api/tokens"),
            (Method::POST, "/api/tokens"),
            (Method::DELETE, "/api/tokens/t-1"),
            (Method::POST, "/api/sessions/revoke"),
            (Method::POST, "/api/keys/rotate"),
        ] {
            assert_eq!(service.api(method, path, token, Some(json!({}))).await.0, 401, "{path} {token:?}");
        }
    }
}

#[tokio::test]
async fn wishes_that_make_no_sense_are_refused() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    let token = service.api_token(&mut browser, &["invoke", "read", "write"]).await;
    for wish in [
        json!({}),
        json!({"name": "x"}),
        json!({"name": "", "scopes": ["read"]}),
        json!({"name": "x", "scopes": []}),
        json!({"name": "x", "scopes": ["admin"]}),
        json!({"name": "x", "scopes": ["read"], "days": 0}),
        json!({"name": "x", "scopes": ["read"], "days": 366}),
        json!({"name": "x", "scopes": ["read"], "days": -1}),
        json!({"name": "x\u{0}", "scopes": ["read"]}),
        json!({"name": "x", "scopes": ["read"], "operator": true}),
        json!([]),
    ] {
        let (status, refused) = service.api(Method::POST, "/api/tokens", Some(&token), Some(wish.clone())).await;
        assert_eq!((status, &refused["error"]), (400, &json!("invalid_request")), "{wish}");
    }
    for form in [&[("name", "x"), ("days", "1")][..], &[("name", " "), ("days", "1"), ("read", "1")]] {
        let reply = browser.post(&format!("{ISSUER}/tokens"), form).await;
        assert_eq!(reply.status, 400);
        assert!(reply.text.contains("There is no new token"), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_person_has_fifty_tokens_at_most() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    for _ in 0..50 {
        service.api_token(&mut browser, &["read"]).await;
    }
    let form = [("name", "one more"), ("days", "1"), ("read", "1")];
    let reply = browser.post(&format!("{ISSUER}/tokens"), &form).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("you have 50 tokens"), "{}", reply.text);
}
