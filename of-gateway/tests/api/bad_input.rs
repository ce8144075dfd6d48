//! Requests that no client of ours would make.

use std::time::Duration;

use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Running, answer};
use crate::without_engine;

async fn gateway(dir: &std::path::Path) -> Running {
    Running::start(without_engine(dir, [("hello", Router::new().fallback(any(|| async { "hello" })))])).await
}

/// Sends bytes as they are, and gives the first line of the answer.
#[expect(clippy::unwrap_used, reason = "test helper")]
async fn raw(gateway: &Running, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.url.trim_start_matches("http://")).await.unwrap();
    // The gateway may hang up before all is sent, and that is right.
    let _ = stream.write_all(request).await;
    let mut answer = vec![0; 256];
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut answer)).await.unwrap();
    let text = String::from_utf8_lossy(&answer[..read.unwrap_or(0)]).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway(dir.path()).await;
    for (method, path, allowed) in [
        ("PATCH", "/system/functions", "GET,HEAD,POST,PUT,DELETE"),
        ("TRACE", "/system/functions", "GET,HEAD,POST,PUT,DELETE"),
        ("POST", "/system/function/hello", "GET,HEAD"),
        ("GET", "/system/scale-function/hello", "POST"),
        ("GET", "/system/namespace/", "POST"),
        ("POST", "/healthz", "GET,HEAD"),
        ("DELETE", "/openapi.json", "GET,HEAD"),
        ("TRACE", "/function/hello", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        ("BREW", "/function/hello", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let refused = gateway.system(method.clone(), path).send().await.unwrap();
        assert_eq!(refused.headers()["allow"], allowed, "{method} {path}");
        let (status, text) = answer(refused).await;
        assert_eq!(status, 405, "{method} {path}");
        assert!(method == Method::HEAD || !text.is_empty(), "{method} {path} is refused in a sentence");
    }
    let queued = gateway.system(Method::PATCH, "/async-function/hello").send().await.unwrap();
    assert!(queued.status() == 405 && queued.headers()["allow"].to_str().unwrap().contains("POST"));
    gateway.stop().await;
}

#[tokio::test]
async fn options_and_head_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway(dir.path()).await;
    let options = gateway.system(Method::OPTIONS, "/system/secrets").send().await.unwrap();
    assert_eq!(
        (options.status().as_u16(), &options.headers()["allow"]),
        (204, &"GET,HEAD,POST,PUT,DELETE".parse().unwrap())
    );
    let anonymous = gateway.http.request(Method::OPTIONS, gateway.at("/system/secrets")).send().await.unwrap();
    assert_eq!(anonymous.status(), 401);
    let head = gateway.system(Method::HEAD, "/system/functions").send().await.unwrap();
    assert!(head.status() == 200 && head.headers()["content-length"] != "0");
    assert!(head.bytes().await.unwrap().is_empty());
    let function = gateway.http.request(Method::OPTIONS, gateway.at("/function/hello")).send().await.unwrap();
    assert_eq!(answer(function).await, (200, "hello".to_owned()), "a function answers for itself");
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_bomb_is_413_whether_it_says_so_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway(dir.path()).await;
    for (path, most) in [
        ("/system/secrets", 8 << 20),
        ("/system/functions", 2 << 20),
        ("/system/namespace/", 2 << 20),
        ("/system/alert", 2 << 20),
    ] {
        let declared = gateway.system(Method::POST, path).body(vec![b' '; most + 1]).send().await.unwrap();
        assert_eq!(
            declared.headers()["connection"],
            "close",
            "the rest is not read, and the next request needs another one"
        );
        let (status, text) = answer(declared).await;
        assert!(status == 413 && text.contains(&format!("{most} bytes")), "{path}: {status} {text}");
    }
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 8192])));
    let streamed = gateway.system(Method::PUT, "/system/functions").body(reqwest::Body::wrap_stream(endless));
    assert_eq!(streamed.send().await.unwrap().status(), 413);
    // Told before the body is sent, and without waiting for it.
    let auth =
        gateway.system(Method::POST, "/").build().unwrap().headers()["authorization"].to_str().unwrap().to_owned();
    let claim = format!(
        "POST /system/secrets HTTP/1.1\r\nHost: g\r\nAuthorization: {auth}\r\nContent-Length: 99999999999\r\n\r\n"
    );
    assert_eq!(raw(&gateway, claim.as_bytes()).await, "HTTP/1.1 413 Payload Too Large");
    let anonymous = claim.replace(&auth, "Basic eA==");
    assert_eq!(raw(&gateway, anonymous.as_bytes()).await, "HTTP/1.1 401 Unauthorized", "nothing of it is read");
    gateway.stop().await;
}

#[tokio::test]
async fn header_bombs_are_431_and_harm_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway(dir.path()).await;
    for path in ["/system/functions", "/function/hello", "/async-function/hello", "/healthz"] {
        let large = format!("GET {path} HTTP/1.1\r\nHost: g\r\nX-Bomb: {}\r\n\r\n", "x".repeat(4 << 20));
        assert_eq!(raw(&gateway, large.as_bytes()).await, "HTTP/1.1 431 Request Header Fields Too Large", "{path}");
        let many: String = (0..10_000).map(|n| format!("X-{n}: y\r\n")).collect();
        let many = format!("GET {path} HTTP/1.1\r\nHost: g\r\n{many}\r\n");
        assert_eq!(raw(&gateway, many.as_bytes()).await, "HTTP/1.1 431 Request Header Fields Too Large", "{path}");
    }
    let long = format!("GET /function/hello?{} HTTP/1.1\r\nHost: g\r\n\r\n", "q".repeat(100_000));
    assert_eq!(raw(&gateway, long.as_bytes()).await, "HTTP/1.1 414 URI Too Long");
    for nonsense in ["\0\0\0\r\n\r\n", "GET / HTTP/1.1\r\nno header\r\n\r\n", "GET /\r\nHost: g\r\n\r\n"] {
        assert_eq!(raw(&gateway, nonsense.as_bytes()).await, "HTTP/1.1 400 Bad Request", "{nonsense:?}");
    }
    assert_eq!(gateway.get("/function/hello").await.0, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn http2_header_bombs_are_refused_too() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway(dir.path()).await;
    let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let bomb = http2.get(gateway.at("/function/hello")).header("x-bomb", "x".repeat(1 << 20)).send().await;
    assert!(bomb.is_err() || bomb.is_ok_and(|answer| answer.status() == 431));
    assert_eq!(http2.get(gateway.at("/function/hello")).send().await.unwrap().status(), 200);
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_is_read_whatever_it_is_called_and_whatever_else_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway(dir.path()).await;
    let put = async |body: &str, kind: Option<&str>| {
        let request = gateway.system(Method::POST, "/system/secrets").body(body.to_owned());
        let request = if let Some(kind) = kind { request.header("content-type", kind) } else { request };
        answer(request.send().await.unwrap()).await
    };
    for (index, kind) in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("ü")].iter().enumerate()
    {
        let body =
            json!({"name": format!("key-{index}"), "value": "v", "future": {"nested": [1, null]}, "namespace": null});
        assert_eq!(put(&body.to_string(), *kind).await.0, 202, "{kind:?}");
    }
    for (body, part) in [
        ("{\"name\": \"a\", \"value\": 5}", "value: expected a string at line 1 column 24"),
        ("{\"name\":\n \"a\",\n \"value\": tru}", "line 3"),
        ("{\"value\": \"v\"}", "missing field `name`"),
        ("{\"name\": \"a\", \"name\": \"b\"}", "duplicate field `name`"),
        ("\u{feff}{\"name\": \"a\"}", "line 1 column 1"),
        ("name=a", "line 1 column"),
        ("null", "expected an object"),
        ("", "EOF"),
    ] {
        let (status, text) = put(body, Some("application/json")).await;
        assert!(status == 400 && text.contains(part), "{body} gives {status} {text}");
    }
    let binary = gateway.system(Method::POST, "/system/secrets").body(b"{\"name\": \"\xff\xfe\"}".to_vec());
    assert_eq!(binary.send().await.unwrap().status(), 400);
    gateway.stop().await;
}

#[tokio::test]
async fn names_and_quantities_that_cannot_be_are_refused_with_what_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway(dir.path()).await;
    let limit = |what: &str, text: &str| json!({"service": "f", "image": "x", "limits": {what: text}});
    let mut all: Vec<(Value, &str)> = ["Capital", "a.b", "ö", "-a", "a-", "a_b", "a b", "../a", "a/b", "", "a\u{0}"]
        .iter()
        .map(|name| (json!({"service": name, "image": "x"}), "lower-case letters"))
        .collect();
    for text in ["99999999999999999999Ti", "-1Mi", "1e9", "NaN", "inf", "0", "5Mi", "128 Mi", "🐘", "1.2.3Mi"] {
        all.push((limit("memory", text), "128Mi"));
        all.push((json!({"service": "f", "image": "x", "requests": {"memory": format!("{text}x")}}), "requests"));
    }
    for text in ["1000000", "-1", "0", "1m", "half", "inf", "0x10", "1e3"] {
        all.push((limit("cpu", text), "500m"));
    }
    all.push((json!({"service": "f", "image": "   "}), "names no image"));
    all.push((json!({"service": "f", "image": "x", "envVars": {"A": "a\u{0}b"}}), "environment variable"));
    for (spec, part) in all {
        let (status, text) = gateway.system_json(Method::POST, "/system/functions", spec.clone()).await;
        assert!(status == 400 && text.contains(part), "{spec} gives {status} {text}");
    }
    for replicas in [json!(33), json!(u64::MAX), json!(-1), json!(1.5), json!("2"), json!(1e300), json!(null)] {
        let body = json!({"serviceName": "hello", "replicas": replicas});
        let (status, text) = gateway.system_json(Method::POST, "/system/scale-function/hello", body).await;
        assert_eq!(status, 400, "{replicas}: {text}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_422() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway(dir.path()).await;
    for (query, status) in [
        ("", 422),
        ("?name=", 422),
        ("?name=hello&tail=x", 422),
        ("?name=hello&tail=1.5", 422),
        ("?name=hello&tail=", 422),
        ("?name=hello&since=yesterday", 422),
        ("?name=hello&since=1700000000", 422),
        ("?name=hello&since=2026-01-01", 422),
        ("?name=hello&follow=maybe", 422),
        ("?name=hello&follow", 422),
        ("?name=hello&namespace=nowhere", 404),
        ("?name=hello.openfaas-fn&namespace=nowhere", 400),
        // The last of a repeated one holds; and what is right gets as far as a function of the platform can.
        ("?name=nobody&name=hello&tail=x&tail=-1&since=0001-01-01T00:00:00Z&follow=1&follow=0", 501),
        ("?name=hello&tail=99999999999999999999&since=2300-01-01T00:00:00%2B02:00", 501),
    ] {
        let read = gateway.system(Method::GET, &format!("/system/logs{query}")).send().await.unwrap();
        assert_eq!(read.status(), status, "{query}");
    }
    for path in ["/system/functions?usage=yes", "/system/function/hello?usage=", "/system/async/dead?limit=-1"] {
        assert_eq!(gateway.system(Method::GET, path).send().await.unwrap().status(), 422, "{path}");
    }
    assert_eq!(gateway.system_get("/system/functions?usage=true").await[0]["name"], "hello");
    gateway.stop().await;
}

#[tokio::test]
async fn an_alert_about_nothing_that_is_here_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway(dir.path()).await;
    let alert = |labels: Value| json!({"receiver": "r", "status": "firing", "alerts": [{"status": "firing", "labels": labels}]});
    for labels in [
        json!({}),
        json!({"function_name": "nobody"}),
        json!({"function_name": "hello"}),
        json!({"function_name": "a.b.c"}),
    ] {
        let (status, text) = gateway.system_json(Method::POST, "/system/alert", alert(labels.clone())).await;
        assert_eq!(status, 200, "{labels}: {text}");
    }
    for body in
        [json!({}), json!({"receiver": "r", "status": "firing", "alerts": {}}), alert(json!([])), alert(json!(null))]
    {
        assert_eq!(gateway.system_json(Method::POST, "/system/alert", body.clone()).await.0, 400, "{body}");
    }
    gateway.stop().await;
}
