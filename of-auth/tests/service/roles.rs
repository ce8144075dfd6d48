//! What a provider said about somebody counts for a while.

use crate::support::{AUTH_HOST, Browser, ISSUER, Service};

const HOST: &str = "acme.example.com";
const DAY: u64 = 24 * 3600;

async fn at_acme(service: &Service) -> Browser {
    service.provider.is_used_by("alice");
    let mut browser = service.browser();
    browser.follow(&format!("https://{HOST}/.ofc/login?to=%2F")).await;
    browser
}

/// Uses a session until it is so old.
async fn use_until(service: &Service, token: &str, end: u64) {
    while service.clock.now() + 3600 < end {
        service.clock.advance(3600);
        assert!(service.ask(HOST, token).await.is_ok());
    }
    service.clock.advance(end - service.clock.now());
}

#[tokio::test]
async fn who_has_left_an_organisation_has_no_role_there_after_a_day() {
    let service = Service::start().await;
    let mut browser = at_acme(&service).await;
    let token = browser.token(HOST);
    let before = service.ask(HOST, &token).await.unwrap().claims;
    assert_eq!(before.who.organisations.len(), 1);
    service.provider.knows("alice", 42, &[]);
    let end = service.clock.now() + DAY;
    use_until(&service, &token, end - 60).await;
    let last = service.ask(HOST, &token).await.unwrap().claims;
    assert!(last.exp <= end, "no token outlives what the provider said");
    service.clock.advance(60);
    assert_eq!(service.ask(HOST, &token).await.unwrap_err(), 401, "nor is one renewed");
    // The browser is sent to sign in, and comes back without anybody being asked anything.
    browser.follow(&format!("https://{HOST}/.ofc/login?to=%2F")).await;
    let after = service.ask(HOST, &browser.token(HOST)).await.unwrap().claims;
    assert_eq!((after.who.organisations.len(), &after.sid), (0, &before.sid), "the same session, with new roles");
    service.trail.has("Signed in again by").await;
}

#[tokio::test]
async fn a_sign_in_anywhere_is_one_for_all_of_a_person_s_sessions() {
    let service = Service::start().await;
    let browser = at_acme(&service).await;
    let end = service.clock.now() + DAY;
    use_until(&service, &browser.token(HOST), end - 60).await;
    service.signed_in("alice").await;
    service.clock.advance(120);
    assert!(service.ask(HOST, &browser.token(HOST)).await.is_ok());
}

#[tokio::test]
async fn somebody_else_in_the_same_browser_gets_a_session_of_their_own() {
    let service = Service::start().await;
    let mut browser = at_acme(&service).await;
    let alice = service.ask(HOST, &browser.token(HOST)).await.unwrap().claims;
    use_until(&service, &browser.token(HOST), service.clock.now() + DAY).await;
    service.provider.is_used_by("bob");
    browser.follow(&format!("https://{HOST}/.ofc/login?to=%2F")).await;
    let bob = service.ask(HOST, &browser.token(HOST)).await.unwrap().claims;
    assert_eq!(bob.who.login.as_str(), "bob");
    assert_ne!(bob.sid, alice.sid);
}

#[tokio::test]
async fn a_session_with_old_roles_is_ended_by_signing_out() {
    let service = Service::start().await;
    let mut browser = at_acme(&service).await;
    let token = browser.token(HOST);
    use_until(&service, &token, service.clock.now() + DAY).await;
    let out = browser.post(&format!("https://{HOST}/.ofc/logout"), &[]).await;
    assert_eq!(out.status, 200);
    // It would live on when the person signs in elsewhere.
    service.signed_in("alice").await;
    assert_eq!(service.ask(HOST, &token).await.unwrap_err(), 401);
}

#[tokio::test]
async fn api_tokens_lose_roles_in_organisations_a_month_after_the_last_sign_in() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    let token = service.api_token(&mut browser, &["read"]).await;
    let roles = async |token: &str| {
        let answer = service.ask(AUTH_HOST, token).await;
        answer.map(|answer| answer.claims.who.organisations.len())
    };
    service.clock.advance(29 * DAY);
    assert_eq!(roles(&token).await, Ok(1));
    let mut browser = service.signed_in("alice").await;
    let reply = browser.post(&format!("{ISSUER}/tokens"), &[("name", "long"), ("days", "300"), ("read", "1")]).await;
    assert!(reply.text.contains("within 30 days"), "{}", reply.text);
    let begin = reply.text.find("ofct_").unwrap();
    let long = reply.text[begin..].split('<').next().unwrap().to_owned();
    // The clock goes on with this machine's, which may be slow.
    service.clock.advance(30 * DAY - 60);
    assert_eq!(roles(&long).await, Ok(1), "a sign-in counts for the token too");
    service.clock.advance(60);
    assert_eq!(roles(&long).await, Ok(0), "the own account stays");
    // Who came in by the organisation alone comes in no more.
    std::fs::write(service.folder.path().join("customers.txt"), "acme\n").unwrap();
    assert_eq!(roles(&long).await.unwrap_err(), 401);
    service.signed_in("alice").await;
    assert_eq!(roles(&long).await, Ok(1));
}
