//! One test per weakness of the original's edge that concerns the router, named after it.

mod support;

use support::auth::{Auth, Manner, person};
use support::{Gateway, Router, config};

const ACCESS: &str = "com.openfaas.cloud.access";

async fn place() -> (Gateway, Auth, Router) {
    let (gateway, auth) = (Gateway::start().await, Auth::start().await);
    gateway.deploy_with("alice-ours", "alice", 42, &[(ACCESS, "members")]);
    let router = Router::start(auth.behind(config(gateway.address))).await;
    (gateway, auth, router)
}

/// S1: the original passed on whatever its auth service did not answer with one of four codes, and a space in the path
/// was enough for that.
#[tokio::test]
async fn s1_no_answer_and_no_path_opens_what_is_closed() {
    let (gateway, auth, router) = place().await;
    for path in ["/list-functions%20", "/pipeline-log%20x", "/%20audit-event", "/dashboard%20"] {
        assert_eq!(router.raw_status("system.localhost", path).await, 404, "{path}");
    }
    for path in ["/dashboard/%20", "/dashboard/a%20b?r=x y"] {
        let status = router.raw_status("system.localhost", path).await;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    auth.api_token("ofct_a", &person("alice", 42), &[session::protocol::Scope::Invoke]);
    for code in [200, 201, 302, 307, 400, 403, 404, 418, 500, 502] {
        auth.answers(Manner::Says(code, b"OK".to_vec()));
        let asked = router.get("alice.localhost", "/ours/%20").bearer_auth("ofct_a").send().await.unwrap();
        assert_eq!(asked.status(), 503, "{code}");
    }
    assert!(gateway.reached().is_empty());
}

/// S2: the original's auth service answered 500 for ever when it had no list of customers, and S1 opened everything.
#[tokio::test]
async fn s2_an_auth_service_that_is_broken_from_the_start_opens_nothing() {
    let (gateway, auth, router) = place().await;
    auth.answers(Manner::Says(500, b"no customers".to_vec()));
    auth.fall_silent(true);
    let token = auth.token(&person("alice", 42), "s", "alice.localhost", -30);
    let cookie = format!("ofc_session={token}");
    for _ in 0..3 {
        let asked = router.get("alice.localhost", "/ours").header("cookie", &cookie).send().await.unwrap();
        assert_eq!(asked.status(), 503);
    }
    assert!(gateway.reached().is_empty());
}

/// S3: with login switched off, every function of the original's pipeline was public.
#[tokio::test]
async fn s3_without_login_the_platform_is_closed_and_not_open() {
    let gateway = Gateway::start().await;
    gateway.deploy_with("alice-ours", "alice", 42, &[(ACCESS, "members")]);
    let router = Router::start(config(gateway.address)).await;
    for path in [
        "/list-functions",
        "/pipeline-log",
        "/git-tar",
        "/buildshiprun",
        "/audit-event",
        "/function-logs",
        "/system-metrics",
    ] {
        assert_eq!(router.status("system.localhost", path).await, 404, "{path}");
    }
    assert_eq!(router.status("system.localhost", "/dashboard").await, 503);
    assert_eq!(router.status("alice.localhost", "/ours").await, 503);
    assert!(gateway.reached().is_empty());
}

/// S4: the original's dashboard decoded tokens and verified none, took no cookie for a yes, and cut the whole `Cookie` header
/// up at its dots, so that any cookie could take the session's place.
#[tokio::test]
async fn s4_a_token_is_verified_and_no_other_cookie_takes_its_place() {
    let (gateway, auth, router) = place().await;
    let good = auth.token(&person("alice", 42), "s", "system.localhost", 600);
    let ours = auth.token(&person("alice", 42), "s", "alice.localhost", 600);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = head.split_once('.').unwrap();
    let cookies = [
        String::new(),
        format!("session={good}"),
        format!("of-token={good}"),
        format!("xofc_session={good}"),
        format!("a={header}.x; b={claims}.{signature}"),
        format!("ofc_session={header}.{claims}."),
        format!("ofc_session={header}.{claims}"),
        format!("ofc_session={header}.{claims}.{}", &signature[1..]),
        format!("ofc_session=x; ofc_session={good}"),
        format!("ofc_session=\"{good}\""),
        format!("ofc_session={ours}"),
    ];
    for cookie in &cookies {
        let asked = router.get("system.localhost", "/dashboard").header("cookie", cookie).send().await.unwrap();
        assert_eq!(asked.status(), 401, "{cookie}");
    }
    assert!(gateway.reached().is_empty());
    let cookie = format!("a=1.2.3; ofc_session={good}; b=4.5.6");
    let asked = router.get("system.localhost", "/dashboard").header("cookie", cookie).send().await.unwrap();
    assert_eq!(asked.status(), 200);
}

/// S5: the original walked the characters of an organisation's name, so that a member of `acme` was one of everything that
/// begins with an a, c, m or e; and `al` was somebody at `alice`.
#[tokio::test]
async fn s5_a_role_is_at_one_owner_by_number_and_never_by_a_part_of_a_name() {
    let (gateway, auth, router) = place().await;
    auth.api_token("ofct_a", &person("alice", 42), &[session::protocol::Scope::Invoke]);
    let places: [(&'static str, u64, u16); 8] = [
        ("acme", 7, 200),
        ("alice", 42, 200),
        ("a", 70, 403),
        ("c", 71, 403),
        ("acme-x", 77, 403),
        ("ac", 700, 403),
        ("al", 4, 403),
        ("alice-x", 421, 403),
    ];
    for (owner, id, expected) in places {
        gateway.deploy_with(&format!("{owner}-ours2"), owner, id, &[(ACCESS, "members")]);
        let asked = router.get(&format!("{owner}.localhost"), "/ours2").bearer_auth("ofct_a").send().await.unwrap();
        assert_eq!(asked.status(), expected, "{owner}");
    }
    // The same login with another number is somebody else.
    gateway.deploy_with("acme-theirs", "acme", 8, &[(ACCESS, "members")]);
    let asked = router.get("acme.localhost", "/theirs").bearer_auth("ofct_a").send().await.unwrap();
    assert_eq!(asked.status(), 403);
}

/// S6, S7, S14: the original told anybody signed in (or anybody at all, by S1) the logs, lists and metrics of everybody, and
/// metrics by a query of the caller's own.
#[tokio::test]
async fn s6_s7_s14_who_is_signed_in_reaches_no_function_of_the_platform_but_its_page() {
    let (gateway, auth, router) = place().await;
    let mut alice = person("alice", 42);
    alice.operator = true;
    let cookie = format!("ofc_session={}", auth.token(&alice, "s", "system.localhost", 600));
    for path in [
        "/pipeline-log?repoPath=bob/secret&commitSHA=1&user=alice",
        "/list-functions?user=bob",
        "/function-logs?function=bob-x",
        "/system-metrics?function=x%22%7D%20or%20up&metrics_window=60m",
        "/metrics",
        "/audit-event",
        "/system-dashboard",
        "/function/pipeline-log",
        "/system/functions",
    ] {
        let asked = router.get("system.localhost", path).header("cookie", &cookie).send().await.unwrap();
        assert_eq!(asked.status(), 404, "{path}");
    }
    assert!(gateway.reached().is_empty());
}

/// S13: the original's dashboard put the request's path behind a folder's name, and only another program's habit of cleaning
/// paths kept people in there.
#[tokio::test]
async fn s13_no_path_to_the_dashboard_leaves_it() {
    let (gateway, auth, router) = place().await;
    let token = auth.token(&person("alice", 42), "s", "system.localhost", 600);
    for path in [
        "/dashboard/../list-functions",
        "/dashboard/static/../../x",
        "/dashboard/%2e%2e/x",
        "/dashboard/..%2fx",
        "/dashboard/..\\x",
        "/dashboard/..;/x",
        "/dashboard/static//etc/passwd",
        "/dashboard/%2fetc/passwd",
        "/dashboard/x%00.js",
        "/dashboard%2f..%2fx",
        "/dashboards",
    ] {
        let ask = format!(
            "GET {path} HTTP/1.1\r\nhost: system.localhost\r\ncookie: ofc_session={token}\r\nconnection: close\r\n\r\n"
        );
        let status = support::status_of(&router.raw(ask.as_bytes()).await);
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    assert!(gateway.reached().is_empty());
}

/// S11: the original sent people back to an http:// address made of the Host header, and passed on every cookie and
/// every forged X-Forwarded-*. (That it kept whole bodies in memory has its tests in `streaming.rs`.)
#[tokio::test]
async fn s11_no_address_is_made_of_the_host_header_and_nothing_forged_or_secret_passes() {
    let (gateway, _auth, router) = place().await;
    gateway.deploy_with("alice-open", "alice", 42, &[]);
    let sent = router.get("alice.localhost:6666", "/ours").header("accept", "text/html").send().await.unwrap();
    assert_eq!(sent.headers()["location"], "/.ofc/login?to=%2Fours", "a path, and no host");
    for host in ["evil.org", "alice.localhost.evil.org", "alice.localhost@evil.org"] {
        let answer = router
            .raw(
                format!("GET /ours HTTP/1.1\r\nhost: {host}\r\naccept: text/html\r\nconnection: close\r\n\r\n")
                    .as_bytes(),
            )
            .await;
        assert!(answer.starts_with("HTTP/1.1 4") && !answer.to_ascii_lowercase().contains("location"), "{answer}");
    }
    let forged = [
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "forwarded",
        "x-auth-user",
        "x-auth-signature",
    ];
    let mut request =
        router.get("alice.localhost", "/open").header("cookie", "a=1; ofc_session=t; __Host-ofc_session=t");
    for name in forged {
        request = request.header(name, "forged");
    }
    assert_eq!(request.send().await.unwrap().status(), 200);
    let reached = gateway.reached().remove(0);
    assert_eq!(reached.headers["cookie"], "a=1");
    assert!(!reached.headers.values().any(|value| value == "forged"), "{:?}", reached.headers);
}

/// S12: the original blocked the platform's functions by prefixes of names, and with them an honest user named `echoes`.
#[tokio::test]
async fn s12_an_honest_user_whose_name_begins_like_a_platform_function_is_served() {
    let (gateway, auth, router) = place().await;
    for (service, owner) in
        [("echoes-fn", "echoes"), ("echo-fn", "echo"), ("metrics2-fn", "metrics2"), ("ofc-fn", "ofc")]
    {
        gateway.deploy_with(service, owner, 9, &[]);
        assert_eq!(router.status(&format!("{owner}.localhost"), "/fn").await, 200, "{owner}");
        gateway.deploy_with(service, owner, 9, &[(ACCESS, "owner")]);
    }
    auth.api_token("ofct_e", &person("echoes", 9), &[session::protocol::Scope::Invoke]);
    let gets_in = async {
        while router.get("echoes.localhost", "/fn").bearer_auth("ofct_e").send().await.unwrap().status() != 200 {}
    };
    tokio::time::timeout(support::DEADLINE, gets_in).await.unwrap();
}
