use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::post;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::asynchronous::{flaky, witness};
use crate::place::Place;
use crate::support::{Running, answer, eventually};

async fn call(gateway: &Running, name: &str, id: &str) {
    let call = gateway.http.post(gateway.at(&format!("/async-function/{name}"))).header("x-call-id", id);
    assert_eq!(call.send().await.unwrap().status(), 202);
}

async fn system(gateway: &Running, method: Method, path: &str) -> (u16, String) {
    answer(gateway.system(method, path).send().await.unwrap()).await
}

/// The dead letters, once there are so many.
async fn dead(gateway: &Running, number: usize) -> Vec<Value> {
    eventually("dead letters", async || {
        let letters = gateway.system_get("/system/async/dead").await;
        letters.as_array().filter(|letters| letters.len() == number).cloned()
    })
    .await
}

pub(crate) async fn letters_are_shown_put_back_and_deleted(place: &Place) {
    let (wrong, calls) = flaky(&[400; 6]);
    let (other, other_calls) = flaky(&[400; 2]);
    let gateway = Running::start(place.config([("wrong", wrong), ("other", other)])).await;
    for id in ["1", "2", "3"] {
        call(&gateway, "wrong", id).await;
    }
    for id in ["4", "5"] {
        call(&gateway, "other", id).await;
    }
    let letters = dead(&gateway, 5).await;
    let of_id = |id: &str| letters.iter().find(|letter| letter["callId"] == id).unwrap();
    let path = |id: &str, rest: &str| format!("/system/async/dead/{}{rest}", of_id(id)["id"]);
    assert_eq!(&gateway.system_get(&path("1", "")).await, of_id("1"));
    assert_eq!((&of_id("1")["function"], &of_id("1")["queue"]), (&json!("wrong.openfaas-fn"), &json!("faas-request")));

    assert_eq!(system(&gateway, Method::POST, &path("1", "/redrive")).await, (202, "{\"letters\":1}".into()));
    eventually("the call to be made again", async || (calls.load(Ordering::SeqCst) == 4).then_some(())).await;
    dead(&gateway, 5).await;
    let again = system(&gateway, Method::POST, "/system/async/dead/redrive?function=wrong").await;
    assert_eq!(again, (202, "{\"letters\":3}".into()));
    eventually("all calls to be made again", async || (calls.load(Ordering::SeqCst) == 7).then_some(())).await;
    // The sixth answer was the last wrong one.
    let left = dead(&gateway, 4).await;
    let first = left.iter().find(|letter| letter["function"] == "wrong.openfaas-fn").unwrap();
    let one = format!("/system/async/dead/{}", first["id"]);
    assert_eq!(system(&gateway, Method::DELETE, &one).await, (202, "{\"letters\":1}".into()));
    assert_eq!(system(&gateway, Method::DELETE, &one).await.0, 404);
    let deleted = system(&gateway, Method::DELETE, "/system/async/dead?function=other.openfaas-fn").await;
    assert_eq!(deleted, (202, "{\"letters\":2}".into()));
    assert_eq!(other_calls.load(Ordering::SeqCst), 2);
    assert_eq!(system(&gateway, Method::POST, "/system/async/dead/redrive?all=true").await.0, 202);
    dead(&gateway, 0).await;
    gateway.stop().await;
}

pub(crate) async fn a_call_is_taken_back_while_it_waits_and_while_it_runs(place: &Place) {
    struct Gone(mpsc::UnboundedSender<&'static str>);
    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = self.0.send("gone");
        }
    }
    let (sender, mut events) = mpsc::unbounded_channel();
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let hang = post(move || {
        count.fetch_add(1, Ordering::SeqCst);
        let _ = sender.send("begun");
        let gone = Gone(sender.clone());
        async move {
            let _gone = gone;
            std::future::pending::<StatusCode>().await
        }
    });
    let (router, mut seen) = witness();
    let mut config = place.config([("hang", Router::new().route("/", hang)), ("witness", router)]);
    config.platform[0].concurrency = 1;
    let gateway = Running::start(config).await;
    call(&gateway, "hang", "runs").await;
    assert_eq!(events.recv().await, Some("begun"));
    call(&gateway, "hang", "waits").await;
    let unasked = gateway.http.delete(gateway.at("/async-function/runs")).send().await.unwrap();
    assert_eq!(unasked.status(), 401, "whoever calls may not cancel");
    let wrong = gateway.http.delete(gateway.at("/async-function/runs")).basic_auth("admin", Some("wrong"));
    assert_eq!(wrong.send().await.unwrap().status(), 401);

    let (status, sentence) = system(&gateway, Method::DELETE, "/async-function/waits").await;
    assert_eq!(status, 202);
    assert!(sentence.contains("1 waited") && sentence.contains("0 ran"), "{sentence}");
    let (status, sentence) = system(&gateway, Method::DELETE, "/async-function/runs").await;
    assert_eq!(status, 202);
    assert!(sentence.contains("0 waited") && sentence.contains("1 ran"), "{sentence}");
    assert_eq!(events.recv().await, Some("gone"), "the function is told");
    let (status, sentence) = system(&gateway, Method::DELETE, "/async-function/never%2Fwas").await;
    assert_eq!((status, sentence.trim()), (202, "no call with this id waits or runs"));

    call(&gateway, "hang", "next").await;
    assert_eq!(events.recv().await, Some("begun"), "its place is free");
    assert_eq!(begun.load(Ordering::SeqCst), 2, "the call that waited was not made");
    call(&gateway, "witness", "a/b c").await;
    seen.recv().await.unwrap();
    assert_eq!(system(&gateway, Method::DELETE, "/async-function/next").await.0, 202);
    assert_eq!(events.recv().await, Some("gone"));
    assert_eq!(gateway.system_get("/system/async/dead").await, json!([]), "what is cancelled is no failure");
    gateway.stop().await;
}

#[tokio::test]
async fn letters_are_for_those_who_manage_and_all_of_them_only_if_that_is_said() {
    let gateway = Running::start(Place::file().config([])).await;
    for (method, path) in [
        (Method::GET, "/system/async/dead"),
        (Method::GET, "/system/async/dead/1"),
        (Method::DELETE, "/system/async/dead?all=true"),
        (Method::POST, "/system/async/dead/redrive?all=true"),
        (Method::POST, "/system/async/dead/1/redrive"),
    ] {
        let request = gateway.http.request(method.clone(), gateway.at(path));
        assert_eq!(request.send().await.unwrap().status(), 401, "{path}");
        let status = system(&gateway, method, path).await.0;
        assert_eq!(
            status,
            if path.contains("dead/1") {
                404
            } else if path.contains("all") {
                202
            } else {
                200
            },
            "{path}"
        );
    }
    for path in ["/system/async/dead", "/system/async/dead?function=a&all=true"] {
        let (status, sentence) = system(&gateway, Method::DELETE, path).await;
        assert_eq!(status, 400, "{path}");
        assert!(sentence.contains("all=true"), "{sentence}");
    }
    for path in ["/system/async/dead/../dead", "/system/async/dead/x", "/system/async/dead/-1"] {
        assert_ne!(system(&gateway, Method::DELETE, path).await.0, 202, "{path}");
    }
    gateway.stop().await;
}
