//! Where requests go, and where they do not.

mod support;

use std::time::Duration;

use futures_util::future::join_all;
use support::{Gateway, Mood, Router, config, status_of};

async fn place() -> (Gateway, Router) {
    let gateway = Gateway::start().await;
    gateway.deploy("alice-greet", "alice");
    let router = Router::start(config(gateway.address)).await;
    (gateway, router)
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_and_the_border_says_who_sent_it() {
    let (gateway, router) = place().await;
    let forged = ["x-forwarded-for", "x-call-id", "x-auth-user", "x-cloud-signature", "forwarded"];
    let mut request = router.post("Alice.localhost:8000", "/greet/a/b?q=%2F..&x").body("hello").header("cookie", "a=b");
    for name in forged {
        request = request.header(name, "forged");
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-echo"], "yes");
    let call_id = response.headers()["x-call-id"].clone();
    assert_eq!(response.text().await.unwrap(), "hello");
    let reached = gateway.reached().remove(0);
    assert_eq!(reached.target, "/function/alice-greet/a/b?q=%2F..&x");
    assert!(!reached.headers.values().any(|value| value == "forged"), "{:?}", reached.headers);
    assert_eq!(reached.headers["x-call-id"], call_id);
    assert_eq!(reached.headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(reached.headers["x-forwarded-host"], "Alice.localhost:8000");
    assert_eq!(reached.headers["x-forwarded-proto"], "http");
    assert_eq!(reached.headers["host"], gateway.address.to_string());
    assert_eq!(
        (&reached.headers["cookie"], &reached.headers["content-length"]),
        (&"a=b".parse().unwrap(), &"5".parse().unwrap())
    );
    router.stop().await;
}

#[tokio::test]
async fn a_function_is_its_label_s_owner_s_alone() {
    let (gateway, router) = place().await;
    gateway.deploy("a-b-c", "a-b");
    gateway.labels.lock().unwrap().insert("alice-bare".into(), None);
    assert_eq!(router.status("a-b.localhost", "/c").await, 200);
    assert_eq!(router.status("a.localhost", "/b-c").await, 404);
    assert_eq!(router.status("alice.localhost", "/bare").await, 404);
    let missing = router.get("alice.localhost", "/nothing").send().await.unwrap();
    assert_eq!(missing.status(), 404);
    assert_eq!(missing.text().await.unwrap(), "There is no function 'nothing' at alice.localhost.\n");
    assert_eq!(gateway.reached().len(), 1);
}

#[tokio::test]
async fn no_clear_yes_is_a_no() {
    let (gateway, router) = place().await;
    let nonsense = [
        Mood::Status(500),
        Mood::Status(401),
        Mood::Status(204),
        Mood::Status(302),
        Mood::Text("<html>welcome</html>"),
        Mood::Text("{\"name\":\"bob-greet\",\"image\":\"x\",\"labels\":{\"com.openfaas.cloud.git-owner\":\"alice\"}}"),
        Mood::Text("[]"),
        Mood::Text(""),
    ];
    for mood in nonsense {
        *gateway.mood.lock().unwrap() = mood.clone();
        assert_eq!(router.status("alice.localhost", "/greet").await, 503, "{mood:?}");
    }
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let lonely = Router::start(config(free)).await;
    assert_eq!(lonely.status("alice.localhost", "/greet").await, 503);
    let mut wrong = config(gateway.address);
    wrong.gateway_password = "wrong".into();
    *gateway.mood.lock().unwrap() = Mood::Honest;
    assert_eq!(Router::start(wrong).await.status("alice.localhost", "/greet").await, 503);
    assert!(gateway.reached().is_empty());
}

#[tokio::test]
async fn the_gateway_is_asked_once_for_many_and_again_after_a_while() {
    let gateway = Gateway::start().await;
    gateway.deploy("alice-greet", "alice");
    let mut config = config(gateway.address);
    config.owner_cache = Duration::from_millis(300);
    let router = Router::start(config).await;
    let all = join_all((0..40).map(|_| router.status("alice.localhost", "/greet"))).await;
    assert!(all.iter().all(|status| *status == 200));
    assert_eq!(gateway.asked(), 1);
    gateway.deploy("alice-greet", "mallory");
    let turned = async {
        while router.status("alice.localhost", "/greet").await != 404 {
            tokio::task::yield_now().await;
        }
        gateway.deploy("alice-greet", "alice");
        while router.status("alice.localhost", "/greet").await != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(support::DEADLINE, turned).await.unwrap();
}

#[tokio::test]
async fn of_the_platform_only_the_public_names_are_reached() {
    let (gateway, router) = place().await;
    assert_eq!(router.post("system.localhost", "/github-event").body("{}").send().await.unwrap().status(), 200);
    assert_eq!(router.status("system.localhost", "/gitlab-event/x").await, 200);
    assert_eq!(router.status("system.localhost", "/dashboard/alice").await, 503, "where nobody can sign in, nobody is");
    let targets: Vec<_> = gateway.reached().into_iter().map(|r| r.target).collect();
    assert_eq!(targets, ["/function/github-event", "/function/gitlab-event/x"]);
    for path in [
        "/git-tar",
        "/pipeline-log",
        "/audit-event",
        "/system/functions",
        "/function/git-tar",
        "/github-event%2f..%2fgit-tar",
    ] {
        let status = router.raw_status("system.localhost", path).await;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    assert_eq!(router.status("git.localhost", "/tar").await, 404, "without a git host there is nothing there");
    assert_eq!(gateway.reached().len(), 2);
    assert_eq!(gateway.asked(), 0);
}

#[tokio::test]
async fn the_certificate_to_seal_with_is_everybody_s_to_read() {
    let (gateway, router) = place().await;
    for path in ["/v1/cert.pem", "/dashboard/api/pub-cert.pem"] {
        let forged =
            router.get("system.localhost", path).header("x-auth-user", "mallory").header("cookie", "ofc_session=x");
        assert_eq!(forged.send().await.unwrap().status(), 200, "{path}");
        let reached = gateway.reached().pop().unwrap();
        assert_eq!(reached.target, "/function/import-secrets/v1/cert.pem");
        assert!(!reached.headers.contains_key("x-auth-user") && !reached.headers.contains_key("cookie"));
        let post = router.post("system.localhost", path).body("x").send().await.unwrap();
        assert_eq!((post.status().as_u16(), &post.headers()["allow"]), (405, &"GET, HEAD".parse().unwrap()), "{path}");
    }
    for path in ["/v1/report", "/v1/verify", "/v1/rotate"] {
        let asked = if path == "/v1/report" {
            router.get("system.localhost", path)
        } else {
            router.post("system.localhost", path)
        };
        assert_eq!(asked.send().await.unwrap().status(), 503, "{path}: where nobody can sign in, nobody is");
    }
    assert_eq!(gateway.reached().len(), 2);
    assert_eq!(gateway.asked(), 0);
}

#[tokio::test]
async fn the_router_s_own_pages_are_there() {
    let (_gateway, router) = place().await;
    for (host, port) in [("localhost:8000", ":8000"), ("system.localhost", "")] {
        let page = router.get(host, "/").send().await.unwrap();
        assert_eq!(page.status(), 200);
        assert!(page.text().await.unwrap().contains(&format!("<owner>.localhost{port}/<function>")));
    }
    assert_eq!(router.status("anything.at.all", "/healthz").await, 200);
    let nothing = router.get("alice.localhost", "/").send().await.unwrap();
    assert_eq!(nothing.status(), 404);
    assert!(nothing.text().await.unwrap().contains("alice.localhost/<function>"));
}

#[tokio::test]
async fn hostile_targets_reach_nothing() {
    let (gateway, router) = place().await;
    let refused = [
        "/../system/functions",
        "/greet/../bob",
        "/greet/%2e%2e/bob",
        "/greet/%2e%2e%2fbob",
        "/greet/..;/bob",
        "/greet/..%3b/bob",
        "//greet",
        "/greet//x",
        "/%00greet",
        "/greet/%00",
        "/greet/%0d%0ax",
        "/greet\\..\\bob",
        "/greet/%5c..%5cbob",
        "/greet/%252e%252e/bob",
        "/gr%65et",
        "/greet;a=b",
        "/greet/%",
        "/greet/%zz",
        "/./greet",
        "/Greet",
        "/greet%20",
        "*",
        "/%67reet",
        "/greet/.%2e",
        "/%2fgreet",
        "/-greet",
        "/greet%23",
        "/greet%3fx",
    ];
    for target in refused {
        let status = router.raw_status("alice.localhost", target).await;
        assert!(matches!(status, 400 | 404), "{target}: {status}");
    }
    let hosts = [
        "alice..localhost",
        "alice.localhost:x",
        "alice@localhost",
        "alice.localhost/",
        "",
        "alice.localhost, bob.localhost",
        "älice.localhost",
        "alice%2elocalhost",
    ];
    for host in hosts {
        let status = router.raw_status(host, "/greet").await;
        assert_eq!(status, 400, "{host:?}");
    }
    for host in ["alice.localhost.evil.org", "alicelocalhost", "x.alice.localhost", "system", "alice.system.localhost"]
    {
        assert_eq!(router.raw_status(host, "/greet").await, 404, "{host}");
    }
    assert!(gateway.reached().is_empty(), "{:?}", gateway.reached());
}

#[tokio::test]
async fn requests_that_say_two_things_are_refused() {
    let (gateway, router) = place().await;
    let refused: [&str; 12] = [
        "GET /greet HTTP/1.1\r\n\r\n",
        "GET /greet HTTP/1.1\r\nhost: alice.localhost\r\nhost: bob.localhost\r\n\r\n",
        "GET /greet HTTP/1.1\r\nhost: alice.localhost\r\nhost: alice.localhost\r\n\r\n",
        "GET http://bob.localhost/greet HTTP/1.1\r\nhost: alice.localhost\r\n\r\n",
        "POST /greet HTTP/1.1\r\nhost: alice.localhost\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "POST /greet HTTP/1.1\r\nhost: alice.localhost\r\ncontent-length: -1\r\n\r\n",
        "POST /greet HTTP/1.1\r\nhost: alice.localhost\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "GET /greet HTTP/1.1\r\nhost : alice.localhost\r\n\r\n",
        "GET /greet HTTP/1.1\r\nhost: alice.localhost\r\nx: a\r\n b\r\n\r\n",
        "GET /greet x HTTP/1.1\r\nhost: alice.localhost\r\n\r\n",
        "CONNECT alice.localhost:80 HTTP/1.1\r\nhost: alice.localhost\r\nconnection: close\r\n\r\n",
        "TRACE /greet HTTP/1.1\r\nhost: alice.localhost\r\nconnection: close\r\n\r\n",
    ];
    for request in refused {
        let answer = router.raw(request.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n").as_bytes()).await;
        let status = status_of(&answer);
        assert!((400..500).contains(&status), "{request:?}: {answer}");
    }
    assert!(gateway.reached().is_empty(), "{:?}", gateway.reached());
    let whole = "GET http://alice.localhost/greet HTTP/1.1\r\nhost: alice.localhost\r\nconnection: close\r\n\r\n";
    assert_eq!(status_of(&router.raw(whole.as_bytes()).await), 200);
}
