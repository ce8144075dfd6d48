//! How long sessions last, and what ends them.

use session::Refused;

use crate::support::{AUTH_HOST, Browser, ISSUER, Service};

const HOST: &str = "alice.example.com";

async fn at_alice(service: &Service) -> Browser {
    service.provider.is_used_by("alice");
    let mut browser = service.browser();
    browser.follow(&format!("https://{HOST}/.ofc/login?to=%2F")).await;
    browser
}

#[tokio::test]
async fn an_expired_token_is_renewed_as_long_as_its_session_lasts() {
    let service = Service::start().await;
    let browser = at_alice(&service).await;
    let token = browser.token(HOST);
    let fresh = service.ask(HOST, &token).await.unwrap();
    assert_eq!((fresh.renewed, fresh.scopes, fresh.keep), (None, None, 5));
    service.clock.advance(601);
    let answer = service.ask(HOST, &token).await.unwrap();
    let renewed = answer.renewed.unwrap();
    let claims = service.verifier().await.verify(&renewed, HOST, service.clock.now()).unwrap();
    assert_eq!(claims, answer.claims);
    assert_eq!((&claims.sid, claims.exp - claims.iat), (&fresh.claims.sid, 600));
    assert!(claims.iat >= fresh.claims.iat + 601, "it begins anew");
    assert_eq!(service.ask("bob.example.com", &token).await.unwrap_err(), 401, "for its own host alone");
    assert_eq!(service.ask("evil.org", &token).await.unwrap_err(), 401);
}

#[tokio::test]
async fn an_idle_session_ends() {
    let service = Service::start().await;
    let browser = at_alice(&service).await;
    // Real time passes as well.
    service.clock.advance(12 * 3600 - 60);
    assert!(service.ask(HOST, &browser.token(HOST)).await.is_ok());
    service.clock.advance(12 * 3600);
    assert_eq!(service.ask(HOST, &browser.token(HOST)).await.unwrap_err(), 401);
}

#[tokio::test]
async fn a_session_that_is_used_all_the_time_ends_after_a_week() {
    let service = Service::start_with(&[("roles_max_age", "8d")]).await;
    let browser = at_alice(&service).await;
    let token = browser.token(HOST);
    let end = service.clock.now() + 7 * 24 * 3600;
    while service.clock.now() + 6 * 3600 < end {
        service.clock.advance(6 * 3600);
        assert!(service.ask(HOST, &token).await.is_ok());
    }
    service.clock.advance(end - service.clock.now() - 100);
    let last = service.ask(HOST, &token).await.unwrap().claims;
    assert!(last.exp <= end, "no token outlives its session");
    service.clock.advance(101);
    assert_eq!(service.ask(HOST, &token).await.unwrap_err(), 401);
}

#[tokio::test]
async fn a_restart_keeps_sessions_and_keys() {
    let service = Service::start().await;
    let browser = at_alice(&service).await;
    let (token, keys) = (browser.token(HOST), service.jwks().await);
    let service = service.restart().await;
    assert_eq!(service.jwks().await, keys);
    assert!(service.ask(HOST, &token).await.unwrap().renewed.is_none());
    service.clock.advance(601);
    assert!(service.ask(HOST, &token).await.unwrap().renewed.is_some());
}

#[tokio::test]
async fn s10_a_session_that_is_revoked_during_use_is_told_at_once_and_counts_no_more() {
    let service = Service::start().await;
    let mut browser = at_alice(&service).await;
    let token = browser.token(HOST);
    let mut listener = service.listen().await;
    let sid = service.ask(HOST, &token).await.unwrap().claims.sid;
    assert_eq!(browser.post(&format!("{ISSUER}/logout"), &[]).await.status, 200);
    listener.hears_the_end_of(&sid).await;
    assert_eq!(service.ask(HOST, &token).await.unwrap_err(), 401);
    service.clock.advance(601);
    assert_eq!(service.ask(HOST, &token).await.unwrap_err(), 401, "nor is it renewed");
    // A router that comes later, and even after a restart, is told as well.
    let service = service.restart().await;
    assert_eq!(service.listen().await.before.len(), 1);
    service.clock.advance(1000);
    assert_eq!(service.listen().await.before.len(), 0, "until the last token has ended");
}

#[tokio::test]
async fn who_is_no_tenant_any_more_is_not_renewed() {
    let service = Service::start().await;
    let browser = at_alice(&service).await;
    let token = browser.token(HOST);
    std::fs::write(service.folder.path().join("customers.txt"), "somebody-else\n").unwrap();
    service.clock.advance(601);
    assert_eq!(service.ask(HOST, &token).await.unwrap_err(), 401);
    std::fs::write(service.folder.path().join("customers.txt"), "alice\nbob\n").unwrap();
    assert!(service.ask(HOST, &token).await.is_ok(), "and is again when back on the list");
}

#[tokio::test]
async fn roles_are_those_of_the_last_login() {
    let service = Service::start().await;
    let browser = service.signed_in("alice").await;
    service.provider.knows("alice", 42, &[(7, "acme", "admin")]);
    service.clock.advance(601);
    let roles = async |browser: &Browser| {
        let answer = service.ask(AUTH_HOST, &browser.token(AUTH_HOST)).await.unwrap();
        format!("{:?}", answer.claims.who.organisations[0].role)
    };
    assert_eq!(roles(&browser).await, "Member", "a renewal does not ask the provider");
    service.signed_in("alice").await;
    service.clock.advance(601);
    assert_eq!(roles(&browser).await, "Owner", "a login does, for all sessions");
}

#[tokio::test]
async fn a_token_with_many_organisations_fits_into_a_cookie() {
    let names: Vec<String> = (0..200).map(|number| format!("organisation-with-a-long-name-{number}")).collect();
    let organisations: Vec<(u64, &str, &str)> =
        (100..).zip(&names).map(|(id, name)| (id, name.as_str(), if id == 299 { "admin" } else { "member" })).collect();
    let service = Service::start().await;
    std::fs::write(service.folder.path().join("customers.txt"), format!("alice\n{}\n", names.join("\n"))).unwrap();
    service.provider.knows("alice", 42, &organisations);
    let browser = service.signed_in("alice").await;
    let token = browser.token(AUTH_HOST);
    assert!((3000..=4000).contains(&token.len()), "{}", token.len());
    let claims = service.verifier().await.verify(&token, AUTH_HOST, service.clock.now()).unwrap();
    assert_eq!(claims.who.organisations[0].id, 299, "the ones with the highest role stay");
    // At its own host, an organisation that was left out elsewhere is there.
    let mut browser = browser;
    let host = format!("{}.example.com", names[150]);
    browser.follow(&format!("https://{host}/.ofc/login")).await;
    let there = service.verifier().await.verify(&browser.token(&host), &host, service.clock.now()).unwrap();
    assert_eq!(there.who.organisations.len(), 1);
}

#[tokio::test]
async fn tokens_of_others_do_not_count() {
    let service = Service::start().await;
    let browser = at_alice(&service).await;
    let token = browser.token(HOST);
    let other = Service::start().await;
    assert_eq!(other.ask(HOST, &token).await.unwrap_err(), 401, "another installation's key");
    let mut forged = token.clone();
    forged.replace_range(token.len() - 10..token.len() - 8, "AA");
    for nonsense in ["", "a.b.c", "ofct_", "ofct_short", &forged, &token[..token.rfind('.').unwrap() + 1]] {
        assert_eq!(service.ask(HOST, nonsense).await.unwrap_err(), 401, "{nonsense}");
    }
    let verified = service.verifier().await.verify(&forged, HOST, service.clock.now());
    assert_eq!(verified, Err(Refused::Invalid));
}
