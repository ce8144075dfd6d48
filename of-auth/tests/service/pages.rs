//! What pages say to browsers, and what they do with what strangers say.

use crate::support::{AUTH_HOST, ISSUER, Service};

const BIND: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn s8_nobody_is_sent_to_another_host() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    for to in [
        "//evil.org",
        "///evil.org",
        "/\\evil.org",
        "\\\\evil.org",
        "/\t/evil.org",
        "/\n/evil.org",
        "https://evil.org",
        "https:evil.org",
        "javascript:alert(1)",
        "data:text/html,x",
        "evil.org",
        "@evil.org",
        " //evil.org",
        "/\r\nSet-Cookie: a=b",
        "/\u{ff0f}evil.org",
        "\u{0}/",
        "",
        "/.ofc/logout",
        "/<script>\u{e4}",
    ] {
        let to = encoded(to);
        for url in [
            format!("https://alice.example.com/.ofc/login?to={to}"),
            format!("{ISSUER}/login?to={to}"),
            format!("{ISSUER}/login?host=alice.example.com&to={to}&bind={BIND}"),
            format!("{ISSUER}/login/github?host=alice.example.com&to={to}&bind={BIND}"),
        ] {
            let reply = browser.get(&url).await;
            assert_eq!(reply.status, 400, "{url}");
            assert!(reply.header("location").is_none() && !reply.text.contains("evil"), "{url}");
        }
    }
    for host in [
        "evil.org",
        "evil.org/.example.com",
        "evil.org?.example.com",
        "evil.org#.example.com",
        "x@evil.org",
        "example.com",
        "a.b.example.com",
        "alice.example.com.evil.org",
        "aliceexample.com",
        "alice.example.com:444",
        "git.example.com",
        "alice.example.com/",
        "ALICE.example.com",
        "alice.example.com.",
        "",
        "127.0.0.1",
        "[::1]",
    ] {
        for path in ["/login", "/login/github"] {
            let url = format!("{ISSUER}{path}?host={}&to=%2F&bind={BIND}", encoded(host));
            let reply = browser.get(&url).await;
            assert_eq!((reply.status, reply.header("location")), (400, None), "{url}");
        }
    }
    for bind in [
        "",
        "short",
        &BIND.to_uppercase(),
        &format!("{BIND}0"),
        "../../../../../../../../../../../../../../../../../../../../../..",
    ] {
        let reply = browser.get(&format!("{ISSUER}/login?host=alice.example.com&to=%2F&bind={}", encoded(bind))).await;
        assert_eq!((reply.status, reply.header("location")), (400, None), "{bind}");
    }
}

#[tokio::test]
async fn s8_what_strangers_say_is_text() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    let script = "\"><script>alert(1)</script>";
    let name = [("name", script), ("days", "1"), ("read", "1")];
    assert_eq!(browser.post(&format!("{ISSUER}/tokens"), &name).await.status, 201);
    let pages = [
        format!("{ISSUER}/tokens"),
        format!("{ISSUER}/"),
        format!("{ISSUER}/device?user_code={}", encoded(script)),
        format!("{ISSUER}/login/{}", encoded(script)),
        format!("{ISSUER}/oauth2/authorized?error={0}&error_description={0}&state={0}", encoded(script)),
        format!("https://alice.example.com/.ofc/session?ticket={}", encoded(script)),
    ];
    for url in pages {
        let text = browser.get(&url).await.text;
        assert!(!text.contains("<script") && !text.contains("<b>"), "{url}: {text}");
    }
    let text = browser.get(&format!("{ISSUER}/tokens")).await.text;
    assert!(text.contains("&#34;&#62;&#60;script&#62;"), "{text}");
}

#[tokio::test]
async fn every_answer_is_closed_to_scripts_and_frames() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    for (url, status) in [
        (format!("{ISSUER}/"), 200),
        (format!("{ISSUER}/tokens"), 200),
        (format!("{ISSUER}/device"), 200),
        (format!("{ISSUER}/nowhere"), 404),
        (format!("{ISSUER}/login"), 303),
        (format!("{ISSUER}/healthz"), 200),
        ("https://alice.example.com/.ofc/session".to_owned(), 400),
    ] {
        let reply = browser.get(&url).await;
        assert_eq!(reply.status, status, "{url}");
        let policy = reply.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "style-src 'sha256-", "form-action 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
        assert_eq!(reply.header("x-frame-options"), Some("DENY"), "{url}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{url}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{url}");
        let referrer = reply.header("referrer-policy").unwrap();
        assert!(referrer == "no-referrer" || reply.text.contains("<form"), "{url}");
    }
}

#[tokio::test]
async fn the_style_is_the_one_that_the_policy_names() {
    use base64::Engine;
    use sha2::Digest;
    let service = Service::start().await;
    let reply = service.signed_in("alice").await.get(&format!("{ISSUER}/")).await;
    let style = reply.text.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(style));
    assert!(reply.header("content-security-policy").unwrap().contains(&format!("'sha256-{hash}'")));
}

#[tokio::test]
async fn pages_of_one_host_are_not_at_others() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    let token = browser.token(AUTH_HOST);
    for host in ["alice.example.com", "system.example.com", "example.com", "evil.org", "git.example.com"] {
        browser.set_cookie(host, "__Host-ofc_session", &token);
        for path in ["/", "/login", "/tokens", "/device", "/oauth2/authorized?state=x&code=y", "/logout"] {
            assert_eq!(browser.get(&format!("https://{host}{path}")).await.status, 404, "{host}{path}");
        }
    }
    for host in ["evil.org", "git.example.com", "a.b.example.com"] {
        for page in ["login", "logout", "session?ticket=x"] {
            assert_eq!(browser.get(&format!("https://{host}/.ofc/{page}")).await.status, 404, "{host} {page}");
        }
    }
}

#[tokio::test]
async fn the_account_page_says_who_and_where() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    let text = browser.get(&format!("{ISSUER}/")).await.text;
    for part in ["<strong>alice</strong> of 127.0.0.1 (number 42)", "acme: member", "(this one)", "Sign out everywhere"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("stranger"), "an organisation that is no tenant");
    assert!(!text.contains("operator"));
    let text = service.signed_in("operator").await.get(&format!("{ISSUER}/")).await.text;
    assert!(text.contains("operator of this installation"), "{text}");
}
