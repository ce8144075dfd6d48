//! Signing in at the git host itself: links, tokens, sessions.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use http::{StatusCode, header};
use secrecy::ExposeSecret;
use support::browser::{Browser, Got, ORIGIN, link};
use support::{Host, config};

struct Place {
    data: tempfile::TempDir,
    host: Host,
}

async fn place() -> Place {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(data.path(), "127.0.0.1:9".parse().unwrap());
    config.home_url = Some("http://auth.system.localhost:8000/".parse().unwrap());
    let redirect_uri = "http://auth.system.localhost:8000/oauth2/authorized".into();
    config.client = Some(of_git::Client { id: "ofc".into(), secret: "secret".into(), redirect_uri });
    Place { host: Host::start(config).await, data }
}

async fn who(browser: &mut Browser) -> Option<String> {
    let got = browser.get("/login").await;
    let (_, rest) = got.text.split_once("You are signed in as <strong>")?;
    Some(rest.split('<').next().unwrap().to_owned())
}

fn token(host: &Host, owner: &str) -> String {
    of_git::token(&host.config.token_key, &owner.parse().unwrap()).expose_secret().to_owned()
}

fn refused(got: &Got, status: StatusCode, sentence: &str) {
    assert_eq!(got.status, status, "{got:?}");
    assert!(got.text.contains(sentence), "{got:?}");
    assert!(!got.headers.contains_key(header::SET_COOKIE), "{got:?}");
}

#[tokio::test]
async fn a_link_signs_in_once_and_looking_at_it_does_not_count() {
    let place = place().await;
    let link = link(&place.host, "alice");
    let (mut alice, mut other) = (Browser::new(&place.host), Browser::new(&place.host));
    for _ in 0..3 {
        let page = other.get(&link).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains("Sign in as alice") && other.cookies.is_empty(), "{page:?}");
    }
    let got = alice.post(&link, &[]).await;
    assert_eq!((got.status, got.location()), (StatusCode::SEE_OTHER, "/login/continue"));
    let cookie = got.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"), "{cookie}");
    assert_eq!(who(&mut alice).await.unwrap(), "alice");
    let on = alice.get("/login/continue").await;
    assert!(on.text.contains("content=\"0; url=http://auth.system.localhost:8000/\""), "{on:?}");
    // Who has no number yet gets one, and is a tenant from now on.
    assert_eq!(std::fs::read_to_string(place.data.path().join("customers")).unwrap(), "alice\n");

    refused(&other.post(&link, &[]).await, StatusCode::GONE, "has been used");
    refused(&other.get(&link).await, StatusCode::GONE, "has been used");
    assert_eq!(who(&mut other).await, None);
    let config = place.host.config.clone();
    place.host.stop().await;
    let again = Host::start(config).await;
    let mut other = Browser::new(&again);
    refused(&other.post(&link, &[]).await, StatusCode::GONE, "has been used");
    let mut same = Browser::new(&again);
    same.cookies = alice.cookies;
    assert_eq!(who(&mut same).await.unwrap(), "alice", "a session survives a restart");
    again.stop().await;
}

#[tokio::test]
async fn the_first_owner_has_the_first_number_and_is_no_other_s_later() {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(data.path(), "127.0.0.1:9".parse().unwrap());
    for (first, listed) in [("alice", "alice\n"), ("bob", "alice\n")] {
        config.first_owner = Some(first.parse().unwrap());
        let host = of_git::Host::open(config.clone(), tokio_util::sync::CancellationToken::new()).await.unwrap();
        assert_eq!(std::fs::read_to_string(data.path().join("customers")).unwrap(), listed, "before it serves");
        drop(host);
    }
}

#[tokio::test]
async fn of_many_uses_at_once_one_wins() {
    let place = place().await;
    let link = link(&place.host, "alice");
    let tries = (0..16).map(|_| {
        let (mut browser, link) = (Browser::new(&place.host), link.clone());
        tokio::spawn(async move { browser.post(&link, &[]).await.status })
    });
    let mut won = 0;
    for status in futures_util::future::join_all(tries).await {
        match status.unwrap() {
            StatusCode::SEE_OTHER => won += 1,
            other => assert_eq!(other, StatusCode::GONE),
        }
    }
    assert_eq!(won, 1);
    place.host.stop().await;
}

#[tokio::test]
async fn links_that_are_not_ours_or_too_old_let_nobody_in() {
    let place = place().await;
    let mut browser = Browser::new(&place.host);
    let ours = link(&place.host, "alice");
    let bobs = ours.replacen("alice", "bob", 1);
    let foreign = of_git::login_link(&"other".into(), &"alice".parse().unwrap(), 4_000_000_000);
    for path in [bobs.as_str(), foreign.expose_secret(), "/login/link/x", "/login/link/alice.9999999999.00.00"] {
        refused(&browser.get(path).await, StatusCode::NOT_FOUND, "not valid here");
        refused(&browser.post(path, &[]).await, StatusCode::NOT_FOUND, "not valid here");
    }
    let key = &place.host.config.token_key;
    let old = of_git::login_link(key, &"alice".parse().unwrap(), 1000);
    refused(&browser.get(old.expose_secret()).await, StatusCode::GONE, "has expired");
    refused(&browser.post(old.expose_secret(), &[]).await, StatusCode::GONE, "has expired");
    assert_eq!(browser.post(&ours, &[]).await.status, StatusCode::SEE_OTHER, "the real one is not used up");
    place.host.stop().await;
}

#[tokio::test]
async fn another_user_s_link_says_so_and_takes_the_first_one_s_session() {
    let place = place().await;
    let mut browser = Browser::new(&place.host);
    browser.sign_in(&place.host, "bob").await;
    let before = browser.clone();
    let link = link(&place.host, "alice");
    let page = browser.get(&link).await;
    assert!(page.text.contains("signed in as <strong>bob</strong>") && page.text.contains("instead"), "{page:?}");
    assert_eq!(who(&mut browser).await.unwrap(), "bob");
    browser.post(&link, &[]).await;
    assert_eq!(who(&mut browser).await.unwrap(), "alice");
    assert_eq!(who(&mut before.clone()).await, None, "the first session has ended");
    place.host.stop().await;
}

#[tokio::test]
async fn login_and_token_sign_in_until_there_were_too_many_attempts() {
    let place = place().await;
    let (alices, bobs) = (token(&place.host, "alice"), token(&place.host, "bob"));
    let mut browser = Browser::new(&place.host);
    let form = browser.get("/login").await;
    assert!(form.text.contains("name=\"token\" type=\"password\""), "{form:?}");
    let got = browser.post("/login", &[("login", " Alice "), ("token", &alices)]).await;
    assert_eq!(got.location(), "/login/continue");
    assert_eq!(who(&mut browser).await.unwrap(), "alice");

    let mut other = Browser::new(&place.host);
    for (login, token) in [("bob", &*alices), ("bob", ""), ("", &alices), ("system", &alices), ("<b>", &alices)] {
        let got = other.post("/login", &[("login", login), ("token", token)]).await;
        refused(&got, StatusCode::FORBIDDEN, "Login or token is wrong");
        assert!(!got.text.contains("<b>"), "{got:?}");
    }
    let twice = [("login", "bob"), ("login", "alice")];
    refused(&other.post("/login", &twice).await, StatusCode::BAD_REQUEST, "cannot be read");
    // More than two windows' worth, so that one is full wherever the clock stands.
    let mut limited = None;
    for _ in 0..21 {
        let got = other.post("/login", &[("login", "bob"), ("token", "wrong")]).await;
        if got.status == StatusCode::TOO_MANY_REQUESTS {
            limited = Some(got);
            break;
        }
    }
    let limited = limited.unwrap();
    refused(&limited, StatusCode::TOO_MANY_REQUESTS, "too many attempts");
    let wait: u64 = limited.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    if wait > 2 {
        let got = other.post("/login", &[("login", "bob"), ("token", &bobs)]).await;
        refused(&got, StatusCode::TOO_MANY_REQUESTS, "too many attempts");
    }
    let got = Browser::new(&place.host).post("/login", &[("login", "alice"), ("token", &alices)]).await;
    assert_eq!(got.status, StatusCode::SEE_OTHER, "others are not in the way");
    place.host.stop().await;
}

#[tokio::test]
async fn no_other_site_signs_anybody_in_or_out() {
    let place = place().await;
    let alices = token(&place.host, "alice");
    let mut browser = Browser::new(&place.host);
    browser.sign_in(&place.host, "alice").await;
    let (link, form) = (link(&place.host, "mallory"), [("login", "alice"), ("token", alices.as_str())]);
    let foreign = [
        None,
        Some("null"),
        Some("http://mallory.localhost:8000"),
        Some("http://git.localhost"),
        Some("https://git.localhost:8000"),
        Some("http://git.localhost:8000.evil.com"),
        Some("http://git.localhost:8000/"),
    ];
    for origin in foreign {
        for path in ["/login", "/logout", link.as_str()] {
            let got = browser.post_from(path, &form, origin).await;
            refused(&got, StatusCode::FORBIDDEN, "another site");
        }
    }
    assert_eq!(who(&mut browser).await.unwrap(), "alice");
    assert_eq!(browser.post_from(&link, &[], Some(ORIGIN)).await.status, StatusCode::SEE_OTHER, "it is not used up");
    place.host.stop().await;
}

#[tokio::test]
async fn signing_out_ends_the_session_wherever_its_cookie_is() {
    let place = place().await;
    let mut browser = Browser::new(&place.host);
    browser.sign_in(&place.host, "alice").await;
    let thief = browser.clone();
    assert!(browser.get("/logout").await.text.contains("Sign out"));
    assert_eq!(who(&mut browser).await.unwrap(), "alice", "asking is not signing out");
    assert!(browser.post("/logout", &[]).await.text.contains("Signed out"));
    assert!(!browser.cookies.contains_key("ofc_git"));
    assert_eq!(who(&mut thief.clone()).await, None);
    assert_eq!(browser.get("/login/continue").await.location(), "/login");
    place.host.stop().await;
}

#[tokio::test]
async fn every_page_is_closed_to_scripts_frames_and_caches() {
    let place = place().await;
    let mut browser = Browser::new(&place.host);
    let link = link(&place.host, "alice");
    for path in ["/login", "/logout", "/login/link/x", &link, "/login/oauth/authorize"] {
        let got = browser.get(path).await;
        let header = |name: &str| got.headers[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{path}: {policy}");
        assert!(policy.ends_with("form-action 'self'; base-uri 'none'; frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert!(!got.text.contains("<script"));
    }
    place.host.stop().await;
}

#[tokio::test]
async fn over_https_cookies_are_for_this_host_alone() {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(data.path(), "127.0.0.1:9".parse().unwrap());
    config.public_url = "https://git.example.com".parse().unwrap();
    let host = Host::start(config).await;
    let mut browser = Browser::new(&host);
    let got = browser.post_from(&link(&host, "alice"), &[], Some("https://git.example.com")).await;
    let cookie = got.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-ofc_git=") && cookie.ends_with("; Secure"), "{cookie}");
    let plain = browser.cookies["__Host-ofc_git"].clone();
    browser.cookies = [("ofc_git".to_owned(), plain)].into();
    assert_eq!(who(&mut browser).await, None, "a cookie without the prefix may come from anywhere");
    host.stop().await;
}
