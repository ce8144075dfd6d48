//! Signing in, and what does not sign anybody in.

use sdk::identity::{Organisation, Role};

use crate::support::{AUTH_HOST, ISSUER, Service};

const PRIVATE: &str = "https://alice.example.com/.ofc/login?to=%2Fprivate%3Fa%3Db";

#[tokio::test]
async fn a_browser_comes_back_with_a_session_to_where_it_wanted_to_go() {
    let service = Service::start().await;
    service.provider.is_used_by("alice");
    let mut browser = service.browser();
    let end = browser.follow(PRIVATE).await;
    assert_eq!(end.location().as_str(), "https://alice.example.com/private?a=b");
    let token = browser.token("alice.example.com");
    let claims = service.verifier().await.verify(&token, "alice.example.com", service.clock.now()).unwrap();
    assert_eq!((claims.sub.as_str(), claims.iss.as_str()), ("127.0.0.1/42", ISSUER));
    assert_eq!(claims.exp - claims.iat, 600);
    assert!(claims.who.organisations.is_empty(), "an owner's host learns of no other organisation");
    // At of-auth's own host, the organisations that are tenants here.
    let own = service.verifier().await.verify(&browser.token(AUTH_HOST), AUTH_HOST, service.clock.now()).unwrap();
    let acme = Organisation { id: 7, login: "acme".parse().unwrap(), role: Role::Member };
    assert_eq!((own.who.organisations, own.sid), (vec![acme], claims.sid));
    service.trail.has("alice (127.0.0.1/42): Signed in by GitHub at 127.0.0.1 from 192.0.2.1.").await;

    // The next host does not ask the provider again.
    service.provider.says_no();
    browser.visited.clear();
    let end = browser.follow("https://acme.example.com/.ofc/login?to=%2F").await;
    assert_eq!(end.location().as_str(), "https://acme.example.com/");
    assert!(browser.visited.iter().all(|url| url.host_str() != Some("127.0.0.1")));
    let answer = service.ask("acme.example.com", &browser.token("acme.example.com")).await.unwrap();
    assert_eq!(answer.claims.who.organisations.len(), 1);
}

#[tokio::test]
async fn cookies_are_for_one_host_and_no_script() {
    let service = Service::start().await;
    service.provider.is_used_by("alice");
    let mut browser = service.browser();
    let first = browser.get(PRIVATE).await;
    let session = browser.follow_until(first.location().as_str(), "https://alice.example.com/.ofc/session").await;
    let last = browser.get(session.as_str()).await;
    for reply in [&first, &last] {
        for cookie in reply.set_cookies() {
            assert!(cookie.starts_with("__Host-ofc_"), "{cookie}");
            for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
            assert!(!cookie.contains("Domain"), "{cookie}");
        }
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    assert_eq!((first.set_cookies().len(), last.set_cookies().len()), (1, 1));
}

#[tokio::test]
async fn s9_a_state_counts_once() {
    let service = Service::start().await;
    service.provider.is_used_by("alice");
    let mut browser = service.browser();
    let back = browser.follow_until(PRIVATE, &format!("{ISSUER}/oauth2/authorized")).await;
    assert_eq!(browser.get(back.as_str()).await.status, 303);
    let again = browser.get(back.as_str()).await;
    assert_eq!(again.status, 400);
    assert!(again.text.contains("used already"), "{}", again.text);
}

#[tokio::test]
async fn s9_a_state_counts_in_the_browser_that_began() {
    let service = Service::start().await;
    service.provider.is_used_by("mallory");
    service.provider.knows("mallory", 43, &[]);
    let mut attacker = service.browser();
    let back = attacker.follow_until(PRIVATE, &format!("{ISSUER}/oauth2/authorized")).await;
    // Somebody else is led there, without a login of their own.
    let mut victim = service.browser();
    let reply = victim.get(back.as_str()).await;
    assert_eq!((reply.status, reply.set_cookies().len()), (403, 0));
    // And with one of their own under way.
    let mut victim = service.browser();
    let other = attacker.follow_until(PRIVATE, &format!("{ISSUER}/oauth2/authorized")).await;
    victim.follow_until(PRIVATE, &service.provider.url()).await;
    let reply = victim.get(other.as_str()).await;
    assert_eq!((reply.status, reply.set_cookies().len()), (403, 0));
    assert!(reply.text.contains("did not begin in this browser"), "{}", reply.text);
}

#[tokio::test]
async fn s9_no_state_or_one_that_was_made_up_signs_nobody_in() {
    let service = Service::start().await;
    service.provider.is_used_by("alice");
    let mut browser = service.browser();
    let back = browser.follow_until(PRIVATE, &format!("{ISSUER}/oauth2/authorized")).await;
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    for query in [format!("code={code}"), format!("code={code}&state="), format!("code={code}&state=1700000000")] {
        let reply = browser.get(&format!("{ISSUER}/oauth2/authorized?{query}")).await;
        assert_eq!((reply.status, reply.set_cookies().len()), (400, 0), "{query}");
    }
    // Two states are none; the right one still counts.
    assert_eq!(browser.get(&format!("{back}&state=x")).await.status, 400);
    assert_eq!(browser.get(back.as_str()).await.status, 303);
}

#[tokio::test]
async fn a_login_is_over_after_ten_minutes() {
    let service = Service::start().await;
    service.provider.is_used_by("alice");
    let mut browser = service.browser();
    let back = browser.follow_until(PRIVATE, &format!("{ISSUER}/oauth2/authorized")).await;
    service.clock.advance(601);
    assert_eq!(browser.get(back.as_str()).await.status, 400);
}

#[tokio::test]
async fn a_code_of_another_login_is_refused_by_its_verifier() {
    let service = Service::start().await;
    let (mut one, mut two) = (service.browser(), service.browser());
    service.provider.is_used_by("alice");
    let alices = one.follow_until(PRIVATE, &format!("{ISSUER}/oauth2/authorized")).await;
    service.provider.is_used_by("bob");
    let bobs = two.follow_until(PRIVATE, &format!("{ISSUER}/oauth2/authorized")).await;
    let part = |url: &url::Url, name: &str| url.query_pairs().find(|(n, _)| n == name).unwrap().1.into_owned();
    let mixed = format!("{ISSUER}/oauth2/authorized?code={}&state={}", part(&alices, "code"), part(&bobs, "state"));
    let reply = two.get(&mixed).await;
    assert_eq!((reply.status, reply.set_cookies().len()), (400, 0), "{}", reply.text);
    service.trail.has("was refused").await;
}

#[tokio::test]
async fn who_says_no_at_the_provider_is_not_signed_in() {
    let service = Service::start().await;
    service.provider.says_no();
    let mut browser = service.browser();
    let reply = browser.follow(PRIVATE).await;
    assert_eq!((reply.status, reply.set_cookies().len()), (401, 0));
    assert!(reply.text.contains("did not agree"), "{}", reply.text);
}

#[tokio::test]
async fn s2_a_stranger_and_a_broken_provider_sign_nobody_in() {
    let service = Service::start().await;
    service.provider.is_used_by("mallory");
    let mut browser = service.browser();
    let reply = browser.follow(PRIVATE).await;
    assert_eq!((reply.status, reply.set_cookies().len()), (403, 0));
    assert!(reply.text.contains("mallory is not a tenant here"), "{}", reply.text);
    service.trail.has("mallory (127.0.0.1/66): A sign-in from 192.0.2.1 was refused").await;
    service.provider.is_used_by("alice");
    service.provider.breaks();
    let reply = service.browser().follow(PRIVATE).await;
    assert_eq!((reply.status, reply.set_cookies().len()), (502, 0), "{}", reply.text);
}

#[tokio::test]
async fn s10_the_token_holds_who_somebody_is_and_nothing_of_the_provider_s() {
    use base64::Engine;
    let service = Service::start().await;
    let browser = service.signed_in("alice").await;
    let token = browser.token(AUTH_HOST);
    let body = token.split('.').nth(1).unwrap();
    let body = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let mut names: Vec<&String> = claims.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["aud", "exp", "iat", "iss", "last", "sid", "sub", "who"]);
    assert_eq!(claims["who"].as_object().unwrap().len(), 4, "{claims}");
    let (text, files) = (String::from_utf8(body).unwrap(), service.files());
    for secret in service.provider.secrets() {
        assert!(!text.contains(&secret));
        let kept = files.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!kept || !secret.starts_with("gho_"), "the provider's token is kept nowhere");
    }
}

#[tokio::test]
async fn each_login_is_a_session_of_its_own() {
    let service = Service::start().await;
    let (one, two) = (service.signed_in("alice").await, service.signed_in("alice").await);
    let sid = async |browser: &crate::support::Browser| {
        service.ask(AUTH_HOST, &browser.token(AUTH_HOST)).await.unwrap().claims.sid
    };
    assert_ne!(sid(&one).await, sid(&two).await);
}

#[tokio::test]
async fn a_crowd_of_sessions_ends_the_one_that_was_idle_longest() {
    let service = Service::start_with(&[("login_attempts_per_minute", "10000")]).await;
    let first = service.signed_in("alice").await;
    for _ in 0..50 {
        service.signed_in("alice").await;
    }
    assert_eq!(service.ask(AUTH_HOST, &first.token(AUTH_HOST)).await.unwrap_err(), 401);
    let listener = service.listen().await;
    assert_eq!(listener.before.len(), 1, "routers know it");
}

#[tokio::test]
async fn the_trail_s_absence_keeps_nobody_out() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = format!("http://{}", closed.local_addr().unwrap());
    // It accepts and never answers.
    let service = Service::start_with(&[("gateway_url", &gateway)]).await;
    let began = std::time::Instant::now();
    service.signed_in("alice").await;
    assert!(began.elapsed().as_secs() < 10);
    service.stop().await.unwrap();
}
