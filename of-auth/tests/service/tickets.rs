//! Tickets: for one host, one browser, one minute, one time.

#![expect(clippy::unwrap_used, reason = "test helper")]

use url::Url;

use crate::support::{Browser, Service};

const LOGIN: &str = "https://alice.example.com/.ofc/login?to=%2Fprivate";

/// Up to where the ticket would be used.
async fn ticket(service: &Service, browser: &mut Browser, login: &str) -> Url {
    service.provider.is_used_by("alice");
    let host = Url::parse(login).unwrap().host_str().unwrap().to_owned();
    browser.follow_until(login, &format!("https://{host}/.ofc/session?ticket=")).await
}

async fn refused(browser: &mut Browser, url: &str, status: u16) {
    let reply = browser.get(url).await;
    assert_eq!(reply.status, status, "{}", reply.text);
    assert!(!reply.set_cookies().iter().any(|cookie| cookie.contains("session")), "{reply:?}");
}

#[tokio::test]
async fn a_ticket_counts_once() {
    let service = Service::start().await;
    let mut browser = service.browser();
    let url = ticket(&service, &mut browser, LOGIN).await;
    assert_eq!(browser.get(url.as_str()).await.status, 303);
    refused(&mut browser, url.as_str(), 400).await;
}

#[tokio::test]
async fn a_ticket_counts_for_a_minute() {
    let service = Service::start().await;
    let mut browser = service.browser();
    let url = ticket(&service, &mut browser, LOGIN).await;
    service.clock.advance(61);
    refused(&mut browser, url.as_str(), 400).await;
}

#[tokio::test]
async fn a_ticket_counts_at_its_host() {
    let service = Service::start().await;
    for other in ["bob.example.com", "system.example.com", "auth.system.example.com"] {
        let mut browser = service.browser();
        let url = ticket(&service, &mut browser, LOGIN).await;
        let nonce = browser.cookie("alice.example.com", "__Host-ofc_login").unwrap();
        browser.set_cookie(other, "__Host-ofc_login", &nonce);
        let elsewhere = url.as_str().replace("alice.example.com", other);
        refused(&mut browser, &elsewhere, 400).await;
        refused(&mut browser, url.as_str(), 400).await;
    }
}

#[tokio::test]
async fn s9_a_ticket_counts_in_the_browser_that_asked_for_it() {
    let service = Service::start().await;
    // Somebody is led to a ticket of the attacker's: without a login of their own, and with one.
    let (mut attacker, mut victim) = (service.browser(), service.browser());
    let url = ticket(&service, &mut attacker, LOGIN).await;
    refused(&mut victim, url.as_str(), 403).await;
    let url = ticket(&service, &mut attacker, LOGIN).await;
    victim.get(LOGIN).await;
    refused(&mut victim, url.as_str(), 403).await;
    // The cookie is gone, or comes twice.
    let url = ticket(&service, &mut attacker, LOGIN).await;
    let nonce = attacker.cookie("alice.example.com", "__Host-ofc_login").unwrap();
    attacker.set_cookie("alice.example.com", "a=b; __Host-ofc_login", &nonce);
    refused(&mut attacker, url.as_str(), 403).await;
    attacker.forget("alice.example.com", "a=b; __Host-ofc_login");
    let url = ticket(&service, &mut attacker, LOGIN).await;
    attacker.forget("alice.example.com", "__Host-ofc_login");
    refused(&mut attacker, url.as_str(), 403).await;
}

#[tokio::test]
async fn a_ticket_of_a_session_that_has_ended_gives_none() {
    let service = Service::start().await;
    let mut browser = service.browser();
    let url = ticket(&service, &mut browser, LOGIN).await;
    let reply = browser.post("https://auth.system.example.com/logout", &[]).await;
    assert_eq!(reply.status, 200);
    refused(&mut browser, url.as_str(), 400).await;
}

#[tokio::test]
async fn two_tabs_both_come_to_their_end() {
    let service = Service::start().await;
    let mut browser = service.browser();
    let one = ticket(&service, &mut browser, LOGIN).await;
    let two = ticket(&service, &mut browser, "https://alice.example.com/.ofc/login?to=%2Fother").await;
    assert_eq!(browser.get(one.as_str()).await.location().path(), "/private");
    assert_eq!(browser.get(two.as_str()).await.location().path(), "/other");
}
