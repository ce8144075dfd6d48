use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::post;
use http::HeaderMap;
use http_body_util::BodyExt;
use of_gateway::{Config, PlatformFunction};
use tokio::net::TcpListener;

use crate::asynchronous::{flaky, quick, witness};
use crate::place::Place;
use crate::support::{Running, answer, eventually};

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().unwrap()
}

pub(crate) async fn the_answer_goes_to_the_callback_with_all_its_headers(place: &Place) {
    let (router, mut calls) = witness();
    let (callback, mut callbacks) = witness();
    let (wrong, _) = flaky(&[400]);
    let functions = [("witness", router), ("callback", callback), ("wrong", wrong)];
    let gateway = Running::start(place.config(functions)).await;
    let to = gateway.at("/function/callback/here");
    let post =
        |name: &str| gateway.http.post(gateway.at(&format!("/async-function/{name}"))).header("x-callback-url", &to);
    post("witness").header("x-call-id", "c1").send().await.unwrap();
    let (head, _) = calls.recv().await.unwrap();
    assert!(!head.headers.contains_key("x-callback-url"), "the function does not see it");
    let (head, body) = callbacks.recv().await.unwrap();
    assert_eq!((head.method.as_str(), head.uri.path(), body.as_slice()), ("POST", "/here", b"answer".as_slice()));
    assert_eq!(text(&head.headers, "x-call-id"), "c1");
    assert_eq!(text(&head.headers, "x-function-name"), "witness");
    assert_eq!(text(&head.headers, "x-function-status"), "200");
    assert_eq!(text(&head.headers, "x-own"), "1");
    assert!(text(&head.headers, "x-duration-seconds").parse::<f64>().unwrap() < 60.0);
    post("wrong").send().await.unwrap();
    assert_eq!(text(&callbacks.recv().await.unwrap().0.headers, "x-function-status"), "400");
    gateway.stop().await;
}

pub(crate) async fn an_answer_may_go_on_for_longer_than_a_function_may_pause(place: &Place) {
    let (callback, mut callbacks) = witness();
    let parts = || {
        let pace = tokio::time::interval(Duration::from_millis(100));
        let parts = futures_util::stream::unfold((0, pace), async |(n, mut pace)| {
            pace.tick().await;
            (n < 15).then_some((Ok::<_, std::io::Error>("x"), (n + 1, pace)))
        });
        async { Body::from_stream(parts) }
    };
    let mut config = place.config([("callback", callback)]);
    let steady = quick("steady", Router::new().route("/", post(parts)), 1);
    config.platform.push(PlatformFunction { timeout: Duration::from_secs(1), ..steady });
    let gateway = Running::start(config).await;
    let to = gateway.at("/function/callback");
    gateway.http.post(gateway.at("/async-function/steady")).header("x-callback-url", to).send().await.unwrap();
    let (head, body) = callbacks.recv().await.unwrap();
    assert_eq!((text(&head.headers, "x-function-status"), body.len()), ("200", 15));
    gateway.stop().await;
}

pub(crate) async fn a_function_that_nobody_reaches_is_called_back_for_with_503_and_no_body(place: &Place) {
    let (callback, mut callbacks) = witness();
    let hang = Router::new().route("/", post(async || std::future::pending::<()>().await));
    let mut config = place.config([("callback", callback.clone())]);
    let silent = PlatformFunction { timeout: Duration::from_millis(50), ..quick("silent", hang, 2) };
    config.platform.extend([silent, quick("gone", Router::new(), 2)]);
    config.async_concurrency_per_function = 1;
    let gateway = Running::start(config).await;
    // The name by which functions know their gateway.
    let to = "http://gateway.openfaas:8080/function/callback";
    let call = async |gateway: &Running, name: &str| {
        let call = gateway.http.post(gateway.at(&format!("/async-function/{name}"))).header("x-callback-url", to);
        assert_eq!(call.send().await.unwrap().status(), 202);
    };
    call(&gateway, "silent").await;
    let (head, body) = callbacks.recv().await.unwrap();
    assert_eq!((text(&head.headers, "x-function-status"), body.len()), ("503", 0));
    assert_eq!(text(&head.headers, "x-function-name"), "silent");
    assert!(!head.headers.contains_key("x-openfaas-internal"));
    // The callback is on its way before the call's end is kept.
    let letters = eventually("a dead letter", async || {
        let letters = gateway.system_get("/system/async/dead").await;
        letters[0].is_object().then_some(letters)
    });
    let letters = letters.await;
    assert!(letters[0]["reason"].as_str().unwrap().contains("did not answer within"), "{letters}");
    gateway.stop().await;

    // While the engine has not said what is deployed, nobody knows whether a function is gone, and its calls wait.
    let mut config = place.config([("callback", callback)]);
    config.platform.push(quick("away", Router::new().route("/", post(async || std::future::pending::<()>().await)), 1));
    config.graces.calls = Duration::from_millis(10);
    let gateway = Running::start(config.clone()).await;
    call(&gateway, "away").await;
    gateway.stop().await;
    let without = Config { platform: config.platform[..1].to_vec(), ..config.clone() };
    let gateway = Running::start(without).await;
    let beside = gateway.http.post(gateway.at("/async-function/callback")).header("x-call-id", "beside");
    assert_eq!(beside.send().await.unwrap().status(), 202);
    while text(&callbacks.recv().await.unwrap().0.headers, "x-call-id") != "beside" {}
    gateway.stop().await;
    let (back, mut calls) = witness();
    config.platform.retain(|function| function.name != "away");
    config.platform.push(quick("away", back, 1));
    let gateway = Running::start(config).await;
    assert_eq!(text(&calls.recv().await.unwrap().0.headers, "x-retry"), "0", "no attempt was lost");
    assert_eq!(gateway.system_get("/system/async/dead").await.as_array().map(Vec::len), Some(1), "that of before");
    gateway.stop().await;
}

pub(crate) async fn large_bodies_pass_both_ways_and_leave_nothing_behind(place: &Place) {
    let mirror = Router::new().fallback(async |request: Request| {
        let type_of = request.headers()["content-type"].clone();
        let mut response = Response::new(Body::from(request.into_body().collect().await.unwrap().to_bytes()));
        response.headers_mut().insert("content-type", type_of);
        response
    });
    let (callback, mut callbacks) = witness();
    let gateway = Running::start(place.config([("mirror", mirror), ("callback", callback)])).await;
    let body: Vec<u8> = (0..5_000_000u32).flat_map(|number| number.to_le_bytes()).collect();
    let call = gateway
        .http
        .post(gateway.at("/async-function/mirror/x"))
        .header("x-callback-url", gateway.at("/function/callback"))
        .header("content-type", "application/x-own");
    assert_eq!(call.body(body.clone()).send().await.unwrap().status(), 202);
    let (head, answer) = callbacks.recv().await.unwrap();
    assert!(answer == body, "{} bytes came back", answer.len());
    assert_eq!(text(&head.headers, "content-length"), "20000000");
    assert_eq!(text(&head.headers, "content-type"), "application/x-own");
    eventually("the file to go", async || (place.bodies() == 0).then_some(())).await;
    gateway.stop().await;
}

#[tokio::test]
async fn callbacks_go_nowhere_that_only_this_machine_can_reach() {
    let place = Place::file();
    let gateway = Running::start(place.config([("f", witness().0)])).await;
    let refused = async |url: &str| {
        let call = gateway.http.post(gateway.at("/async-function/f")).header("x-callback-url", url);
        let (status, sentence) = answer(call.send().await.unwrap()).await;
        assert_eq!(status, 400, "{url}: {sentence}");
        assert!(sentence.contains("callback_hosts"), "{sentence}");
    };
    for url in [
        "http://127.0.0.1:1/x",
        "http://localhost:9200/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://[::1]:80/",
        "http://2130706433:1/",
        &gateway.at("/system/functions"),
        &gateway.at("/function/../system/functions"),
    ] {
        refused(url).await;
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_listed_host_is_called_back_even_on_this_machine() {
    let (callback, mut callbacks) = witness();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://127.0.0.1:{}/hook?token=1", listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move { axum::serve(listener, callback).await });
    let place = Place::file();
    let mut config = place.config([("f", flaky(&[]).0)]);
    config.queueing.callbacks = "127.0.0.1,*.example.com".parse().unwrap();
    let gateway = Running::start(config).await;
    let call = |url: &str| gateway.http.post(gateway.at("/async-function/f")).header("x-callback-url", url).send();
    assert_eq!(call(&url).await.unwrap().status(), 202);
    assert_eq!(callbacks.recv().await.unwrap().0.uri, "/hook?token=1");
    assert_eq!(call("https://example.com/").await.unwrap().status(), 400, "what is not listed is not called");
    gateway.stop().await;
    server.abort();
}
