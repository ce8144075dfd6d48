//! Signing out, which nobody can make somebody else do.

use http::Method;

use crate::support::{AUTH_HOST, ISSUER, Service};

#[tokio::test]
async fn a_get_shows_a_button_and_ends_nothing() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    for url in [format!("{ISSUER}/logout"), "https://alice.example.com/.ofc/logout".to_owned()] {
        let reply = browser.get(&url).await;
        assert_eq!(reply.status, 200);
        assert!(reply.text.contains("<form method=\"post\""), "{}", reply.text);
        assert_eq!(reply.header("referrer-policy"), Some("same-origin"), "or browsers would hide the form's origin");
        assert!(reply.set_cookies().is_empty());
    }
    assert!(service.ask(AUTH_HOST, &browser.token(AUTH_HOST)).await.is_ok());
}

#[tokio::test]
async fn s9_forms_of_other_hosts_do_nothing() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    let hostile: [&[(&str, &str)]; 6] = [
        &[],
        &[("origin", "null")],
        &[("origin", "https://bob.example.com")],
        &[("origin", "https://evil.org"), ("sec-fetch-site", "cross-site")],
        &[("origin", ISSUER), ("sec-fetch-site", "same-site")],
        &[("referer", ISSUER)],
    ];
    for headers in hostile {
        for (path, form) in [
            ("/logout", &[("everywhere", "1")][..]),
            ("/tokens", &[("name", "x"), ("days", "1"), ("write", "1")]),
            ("/tokens/revoke", &[("id", "t-1")]),
            ("/device", &[("user_code", "BCDF-GHJK"), ("decision", "grant")]),
            ("/.ofc/logout", &[]),
        ] {
            let reply = browser.send(Method::POST, &format!("{ISSUER}{path}"), Some(form), headers).await;
            assert_eq!((reply.status, reply.set_cookies().len()), (403, 0), "{path} {headers:?}");
        }
    }
    assert!(service.ask(AUTH_HOST, &browser.token(AUTH_HOST)).await.is_ok());
}

#[tokio::test]
async fn signing_out_at_one_host_ends_the_browser_s_session_at_all() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    browser.follow("https://alice.example.com/.ofc/login").await;
    let (here, there) = (browser.token("alice.example.com"), browser.token(AUTH_HOST));
    let other = service.signed_in("alice").await;
    let reply = browser.post("https://alice.example.com/.ofc/logout", &[]).await;
    assert_eq!(reply.status, 200);
    assert!(browser.cookie("alice.example.com", "__Host-ofc_session").is_none());
    for (host, token) in [("alice.example.com", &here), (AUTH_HOST, &there)] {
        assert_eq!(service.ask(host, token).await.unwrap_err(), 401, "{host}");
    }
    assert!(service.ask(AUTH_HOST, &other.token(AUTH_HOST)).await.is_ok(), "another browser's stays");
    service.trail.has("alice (127.0.0.1/42): Signed out.").await;
    // Once more is no error.
    assert_eq!(browser.post("https://alice.example.com/.ofc/logout", &[]).await.status, 200);
}

#[tokio::test]
async fn somebody_ends_another_browser_s_session_or_all() {
    let service = Service::start().await;
    let (mut one, two) = (service.signed_in("alice").await, service.signed_in("alice").await);
    let bob = service.signed_in("bob").await;
    let sid = async |browser: &crate::support::Browser| {
        service.ask(AUTH_HOST, &browser.token(AUTH_HOST)).await.unwrap().claims.sid
    };
    // Not somebody else's.
    let bobs = sid(&bob).await;
    one.post(&format!("{ISSUER}/logout"), &[("sid", &bobs)]).await;
    assert!(service.ask(AUTH_HOST, &bob.token(AUTH_HOST)).await.is_ok());
    let second = sid(&two).await;
    assert_eq!(one.post(&format!("{ISSUER}/logout"), &[("sid", &second)]).await.status, 303);
    assert_eq!(service.ask(AUTH_HOST, &two.token(AUTH_HOST)).await.unwrap_err(), 401);
    let two = service.signed_in("alice").await;
    assert_eq!(one.post(&format!("{ISSUER}/logout"), &[("everywhere", "1")]).await.status, 200);
    assert!(one.cookie(AUTH_HOST, "__Host-ofc_session").is_none());
    assert_eq!(service.ask(AUTH_HOST, &two.token(AUTH_HOST)).await.unwrap_err(), 401);
    assert!(service.ask(AUTH_HOST, &bob.token(AUTH_HOST)).await.is_ok());
}
