use super::*;

fn go(authority: &str, path: &str) -> Result<Route, Refusal> {
    let customs: crate::CustomDomains = "www.alice.com=alice/shop".parse().unwrap();
    let host = domain::host_of(authority).map_err(|_| Refusal::BadHost)?;
    decide(&"example.com".parse().unwrap(), &customs.table(), &host, path)
}

/// The upstream path of a function's route.
fn upstream(authority: &str, path: &str) -> Option<String> {
    match go(authority, path) {
        Ok(Route::Function(Target { path, .. }) | Route::Event { path } | Route::Dashboard { path }) => Some(path),
        _ => None,
    }
}

#[test]
fn owners_functions_are_found_by_host_and_first_part() {
    let cases = [
        ("alice.example.com", "/greet", "/function/alice-greet"),
        ("alice.example.com:8000", "/greet/", "/function/alice-greet/"),
        ("Alice.Example.com.", "/greet/a/b", "/function/alice-greet/a/b"),
        ("alice.example.com", "/greet/%C3%A9/x.y", "/function/alice-greet/%C3%A9/x.y"),
        ("a-b.example.com", "/c", "/function/a-b-c"),
    ];
    for (host, path, expected) in cases {
        assert_eq!(upstream(host, path).as_deref(), Some(expected), "{host}{path}");
    }
    let Ok(Route::Function(Target { owner, service, .. })) = go("a.example.com", "/b-c") else { panic!("no function") };
    assert_eq!((owner.as_str(), service.as_str()), ("a", "a-b-c"), "the owner is the host's, whatever the name says");
}

#[test]
fn three_functions_of_the_platform_are_there_by_name_and_no_others() {
    assert_eq!(upstream("system.example.com", "/github-event").as_deref(), Some("/function/github-event"));
    assert_eq!(upstream("system.example.com", "/gitlab-event/").as_deref(), Some("/function/gitlab-event/"));
    assert_eq!(upstream("system.example.com", "/dashboard/alice").as_deref(), Some("/function/system-dashboard/alice"));
    let others = [
        "git-tar",
        "buildshiprun",
        "github-push",
        "github-status",
        "garbage-collect",
        "import-secrets",
        "pipeline-log",
        "list-functions",
        "audit-event",
        "echo",
        "function-logs",
        "register-image",
        "system-dashboard",
        "GITHUB-EVENT",
        "github-event2",
        "github-even",
        "github-event;x",
        "github%2devent",
        "function",
        "async-function",
    ];
    for name in others {
        assert_eq!(go("system.example.com", &format!("/{name}")), Err(Refusal::Unknown), "{name}");
        assert_eq!(go("system.example.com", &format!("/{name}/github-event")), Err(Refusal::Unknown), "{name}");
    }
}

#[test]
fn of_import_secrets_the_certificate_and_what_people_ask_are_there() {
    let certificate = Route::Certificate { path: "/function/import-secrets/v1/cert.pem".into() };
    for path in ["/v1/cert.pem", "/dashboard/api/pub-cert.pem"] {
        assert_eq!(go("System.example.com.:443", path), Ok(certificate.clone()), "{path}");
    }
    for (name, is_read) in [("report", true), ("verify", false), ("rotate", false)] {
        let path = format!("/function/import-secrets/v1/{name}");
        assert_eq!(go("system.example.com", &format!("/v1/{name}")), Ok(Route::Secrets { path, is_read }), "{name}");
    }
    let bad = [
        "/v1",
        "/v1/",
        "/v1/cert.pem/",
        "/v1/cert.pem/x",
        "/v1/cert.pem;x",
        "/v1/cert",
        "/V1/cert.pem",
        "/v1/cert%2epem",
        "/v1/report/",
        "/v1/verify/x",
        "/v1/rotate/",
        "/v1/rotated",
        "/v1/import",
        "/v1/healthz",
        "/cert.pem",
        "/import-secrets",
        "/import-secrets/",
        "/import-secrets/v1/cert.pem",
        "/function/import-secrets/v1/cert.pem",
    ];
    for path in bad {
        assert_eq!(go("system.example.com", path), Err(Refusal::Unknown), "{path}");
    }
    for host in ["example.com", "auth.system.example.com", "git.example.com", "www.example.com"] {
        assert_eq!(go(host, "/v1/cert.pem"), Err(Refusal::Unknown), "{host}");
    }
    assert_eq!(upstream("alice.example.com", "/v1/cert.pem").as_deref(), Some("/function/alice-v1/cert.pem"));
    assert_eq!(go("import.example.com", "/secrets/v1/cert.pem"), Err(Refusal::Unknown));
    let beside = "/dashboard/api/pub-cert.pem/";
    let dashboard = Route::Dashboard { path: "/function/system-dashboard/api/pub-cert.pem/".into() };
    assert_eq!(go("system.example.com", beside), Ok(dashboard), "only this very path is public");
}

#[test]
fn a_badge_is_at_three_parts_in_their_one_form_and_nowhere_else() {
    let proof = "0123456789abcdef0123456789abcdef";
    let good = format!("/badge/alice/greet/{proof}.svg");
    let badge = Route::Badge { path: format!("/function/system-dashboard/-{good}") };
    assert_eq!(go("System.example.com.:443", &good), Ok(badge));
    let bad = [
        "/badge".to_owned(),
        "/badge/".to_owned(),
        format!("/badge/{proof}.svg"),
        format!("/badge/alice/{proof}.svg"),
        format!("/badge/alice/greet/{proof}"),
        format!("/badge/alice/greet/{proof}.svg/"),
        format!("/badge/alice/greet/more/{proof}.svg"),
        format!("/badge/alice/greet/{proof}.SVG"),
        format!("/badge/alice/greet/{proof}.svg;x"),
        format!("/badge/alice/greet/{proof}.svg.svg"),
        format!("/badge/alice/greet/{}.svg", &proof[1..]),
        format!("/badge/alice/greet/{proof}0.svg"),
        format!("/badge/alice/greet/{}.svg", proof.to_ascii_uppercase()),
        format!("/badge/alice/greet/{}g.svg", &proof[1..]),
        format!("/badge/Alice/greet/{proof}.svg"),
        format!("/badge/alice/Greet/{proof}.svg"),
        format!("/badge/-/greet/{proof}.svg"),
        format!("/badge/alice/-/{proof}.svg"),
        format!("/badge/alice/gr.eet/{proof}.svg"),
        format!("/badge/alice/gr%65et/{proof}.svg"),
        format!("/Badge/alice/greet/{proof}.svg"),
        format!("/-/badge/alice/greet/{proof}.svg"),
        format!("/badges/alice/greet/{proof}.svg"),
    ];
    for path in bad {
        assert_eq!(go("system.example.com", &path), Err(Refusal::Unknown), "{path}");
    }
    for path in [format!("/badge//greet/{proof}.svg"), format!("/badge/../greet/{proof}.svg")] {
        assert!(matches!(go("system.example.com", &path), Err(Refusal::BadPath(_))), "{path}");
    }
    for host in ["example.com", "auth.system.example.com", "git.example.com", "evil.org"] {
        assert_eq!(go(host, &good), Err(Refusal::Unknown), "{host}");
    }
    assert_eq!(shown(&good), "/badge/alice/greet/", "the proof is for who has the link");
    assert_eq!(shown("/badge/"), "/badge/");
    let theirs = upstream("alice.example.com", &good);
    assert_eq!(theirs, Some(format!("/function/alice-badge/alice/greet/{proof}.svg")), "a function may have that name");
}

#[test]
fn an_owner_whose_name_makes_a_platform_name_reaches_nothing() {
    assert_eq!(go("github.example.com", "/push"), Err(Refusal::Unknown));
    assert_eq!(go("git.example.com", "/tar"), Err(Refusal::Unknown));
    assert_eq!(go("system.example.com", "/metrics"), Err(Refusal::Unknown));
    assert_eq!(go("audit.example.com", "/event"), Err(Refusal::Unknown));
}

#[test]
fn the_git_host_shows_repositories_only() {
    let good =
        ["/alice/hello.git/info/refs", "/alice/hello.git/git-upload-pack", "/Alice/He_l.lo.git/git-receive-pack"];
    for path in good {
        assert_eq!(go("git.example.com", path), Ok(Route::Git), "{path}");
    }
    let pages =
        ["/login", "/login/continue", "/logout", "/login/oauth/authorize", "/login/link/abc", "/static/style.css"];
    for path in pages {
        assert_eq!(go("git.example.com", path), Ok(Route::Git), "{path}");
    }
    assert_eq!(shown("/login/link/abc"), "/login/link/", "links are secrets");
    assert_eq!(shown("/login/links"), "/login/links");
    let bad = [
        "/",
        "/login/",
        "/login/link/",
        "/login/oauth/access_token",
        "/Login",
        "/static",
        "/static/",
        "/api/v3/user",
        "/.ofc/login",
        "/alice",
        "/alice/hello.git",
        "/alice/hello/info/refs",
        "/alice/.git/info/refs",
        "/api/v3/repos/a/b/check-runs",
        "/-/x.git/info/refs",
    ];
    for path in bad {
        assert_eq!(go("git.example.com", path), Err(Refusal::Unknown), "{path}");
    }
}

#[test]
fn nothing_else_is_anywhere() {
    let cases = [
        ("example.com", "/greet"),
        ("www.example.com", "/greet"),
        ("auth.example.com", "/greet"),
        ("alice.example.com", "/"),
        ("alice.example.com", "/Greet"),
        ("alice.example.com", "/gr%65et"),
        ("alice.example.com", "/greet;x"),
        ("alice.example.com", "/-greet"),
        ("alice.example.com", "/gr.eet"),
        ("x.alice.example.com", "/greet"),
        ("evil.org", "/greet"),
        ("127.0.0.1:8000", "/greet"),
        ("[::1]", "/greet"),
    ];
    for (host, path) in cases {
        assert_eq!(go(host, path), Err(Refusal::Unknown), "{host}{path}");
    }
    let long = format!("/{}", "f".repeat(60));
    assert_eq!(go("alice.example.com", &long), Err(Refusal::Unknown));
    assert_eq!(go("example.com", "/"), Ok(Route::About));
    assert_eq!(go("system.example.com", "/"), Ok(Route::About));
    assert_eq!(go("127.0.0.1:8000", "/healthz"), Ok(Route::Health));
}

/// A server behind us may decode the path and clean it up. For every path made of hostile parts, what it would
/// come to then has to be the function that was decided on.
#[test]
fn no_path_means_another_function_to_a_server_that_decodes_and_cleans() {
    let parts = [
        "greet",
        "..",
        ".",
        "",
        "%2e%2e",
        "%2E.",
        "..%2f",
        "%2f",
        "%5c",
        "..;",
        ";",
        "%3b",
        "%00",
        "%252e%252e",
        "bob-secret",
        "%2e%2e%2fbob-secret",
        "a;..",
        "%",
        "%c0%ae%c0%ae",
        "...",
        "..%00",
        "\\..\\",
    ];
    let mut passed = 0;
    for a in parts {
        for b in parts {
            for c in parts {
                let path = format!("/{a}/{b}/{c}");
                if let Ok(Route::Function(Target { service, path, .. })) = go("alice.example.com", &path) {
                    passed += 1;
                    let seen = property::clean(&property::decode(&property::decode(&path)));
                    assert!(seen.starts_with(&format!("/function/{service}/")), "{path} would be {seen}");
                }
            }
        }
    }
    assert!(passed > 10, "harmless paths do pass");
}

#[test]
fn of_auth_shows_its_public_pages_and_nothing_else() {
    let good = [
        "/",
        "/login",
        "/login/github",
        "/oauth2/authorized",
        "/logout",
        "/tokens",
        "/tokens/new",
        "/device",
        "/device/x",
        "/api/v1/tokens",
        "/.well-known/jwks.json",
        "/static/style.css",
    ];
    for path in good {
        assert_eq!(go("auth.system.example.com:8000", path), Ok(Route::Auth), "{path}");
    }
    let bad = [
        "/q",
        "/q/",
        "/q/x",
        "/%71/",
        "/Q/",
        "/internal",
        "/internal/notices",
        "/%69nternal/notices",
        "/internal;x/notices",
        "/metrics",
        "/login;x",
        "/loginx",
        "/oauth2",
        "/oauth2/other",
        "/oauth2/authorized/x",
        "/logout/x",
        "/.well-known/openid-configuration",
        "/.well-known/",
        "/static",
        "/api/",
        "/.ofc/x",
        "/greet",
    ];
    for path in bad {
        assert_eq!(go("auth.system.example.com", path), Err(Refusal::Unknown), "{path}");
    }
    for host in ["x.auth.system.example.com", "auth.example.com", "auth.alice.example.com", "auth.system"] {
        assert_eq!(go(host, "/login"), Err(Refusal::Unknown), "{host}");
    }
}

#[test]
fn every_platform_host_has_the_pages_to_sign_in() {
    for path in ["/.ofc/login", "/.ofc/session", "/.ofc/logout"] {
        for host in ["alice.example.com", "system.example.com", "auth.system.example.com", "ALICE.example.com.:80"] {
            assert_eq!(go(host, path), Ok(Route::Auth), "{host}{path}");
        }
        for host in
            ["example.com", "git.example.com", "www.example.com", "www.alice.com", "evil.org", "a.b.example.com"]
        {
            assert_eq!(go(host, path), Err(Refusal::Unknown), "{host}{path}");
        }
    }
    for path in ["/.ofc", "/.ofc/", "/.ofc/q/", "/.ofc/login/", "/.ofc/Login", "/.OFC/login", "/.ofc/internal/notices"]
    {
        assert_eq!(go("alice.example.com", path), Err(Refusal::Unknown), "{path}");
    }
}

#[test]
fn a_custom_domain_is_one_function() {
    let cases = [
        ("/", "/function/alice-shop/"),
        ("/a/b", "/function/alice-shop/a/b"),
        ("/healthz", "/function/alice-shop/healthz"),
    ];
    for (path, expected) in cases {
        assert_eq!(upstream("WWW.Alice.com.:443", path).as_deref(), Some(expected), "{path}");
    }
    assert_eq!(go("www.alice.com", "/.ofc/anything"), Err(Refusal::Unknown));
    assert_eq!(go("alice.com", "/"), Err(Refusal::Unknown));
    assert_eq!(go("x.www.alice.com", "/"), Err(Refusal::Unknown));
    let within: crate::customs::Customs = [("bob.example.com".to_owned(), go_custom())].into();
    let decided = decide(&"example.com".parse().unwrap(), &within, "bob.example.com", "/fn");
    assert!(
        matches!(decided, Ok(Route::Function(Target { owner, .. })) if owner.as_str() == "bob"),
        "never below our domain"
    );
}

fn go_custom() -> crate::customs::Custom {
    crate::customs::Custom { owner: "mallory".parse().unwrap(), service: "mallory-x".parse().unwrap(), proven: None }
}

#[test]
fn connections_are_for_one_owner() {
    let domain: Domain = "example.com".parse().unwrap();
    let custom = crate::customs::Custom {
        owner: "alice".parse().unwrap(),
        service: "alice-shop".parse().unwrap(),
        proven: None,
    };
    let customs: Customs = [("www.alice.com".to_owned(), custom)].into();
    let is = |named, host| is_misdirected(&domain, &customs, named, host);
    for (one, other) in [
        ("alice.example.com", "bob.example.com"),
        ("bob.example.com", "www.alice.com"),
        ("alice.example.com", "system.example.com"),
        ("alice.example.com", "auth.system.example.com"),
        ("www.alice.com", "git.example.com"),
        ("www.alice.com", "example.com"),
    ] {
        assert!(is(one, other) && is(other, one), "{one} {other}");
    }
    for (one, other) in [
        ("alice.example.com", "alice.example.com"),
        ("alice.example.com", "www.alice.com"),
        ("system.example.com", "auth.system.example.com"),
        ("git.example.com", "example.com"),
        ("alice.example.com", "unknown.org"),
        ("alice.example.com", "deep.alice.example.com"),
        ("unknown.org", "other.org"),
    ] {
        assert!(!is(one, other) && !is(other, one), "{one} {other}");
    }
}
