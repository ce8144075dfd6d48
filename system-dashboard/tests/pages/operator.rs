//! What who runs the installation sees.

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use sdk::gateway::{Busy, Disk, FunctionStatus, Load};

use crate::setup::{Dashboard, EVIL, function, operator};

async fn page(dashboard: &Dashboard) -> String {
    let page = dashboard.get_as(&operator(), "/-/operator").await;
    assert_eq!(page.status, StatusCode::OK);
    page.text
}

/// A builder that answers so at `/ready` and `/load`, and its address.
async fn builder(ready: StatusCode, load: (StatusCode, &'static str)) -> String {
    let routes =
        Router::new().route("/ready", get(move || async move { ready })).route("/load", get(async move || load));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

async fn with_builder(url: &str) -> String {
    page(&Dashboard::with(&[("builder_url", url)]).await).await
}

#[tokio::test]
async fn what_waits_and_how_much_room_there_is_are_shown() {
    let dashboard = Dashboard::start().await;
    let busiest = vec![Busy { function: "alice-cart.openfaas-fn".to_owned(), waiting: 17 }];
    let disk = Some(Disk { free: 1 << 30, total: 64 << 30 });
    dashboard.fake.set_load(Load { waiting: Some(21), running: Some(4), dead: Some(3), busiest, disk });
    let page = page(&dashboard).await;
    for shown in [
        "<dt>Calls waiting</dt><dd>21</dd>",
        "<dt>Running</dt><dd>4</dd>",
        "<dt>Given up</dt><dd>3</dd>",
        "alice-cart.openfaas-fn</span><span class=\"soft\">17",
        "<span class=\"mark bad\">1.0 GiB free of 64 GiB: too little</span>",
        "Not known here: builder_url is not set",
        "<dt>This page</dt>",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
}

#[tokio::test]
async fn another_gateway_tells_nothing_of_it_and_one_that_is_down_is_said_to_be() {
    let dashboard = Dashboard::start().await;
    let text = page(&dashboard).await;
    assert_eq!(text.matches("This gateway does not tell.").count(), 2, "{text}");
    for route in ["GET /system/load", "GET /system/functions", "GET /system/info"] {
        dashboard.fake.refuse_next(route, StatusCode::INTERNAL_SERVER_ERROR, "secret cause");
    }
    let text = page(&dashboard).await;
    for shown in ["How much waits cannot be shown", "The functions cannot be shown", "version cannot be shown"] {
        assert!(text.contains(shown), "{shown}");
    }
    assert_eq!(text.matches("Not known at the moment.").count(), 2, "{text}");
    assert!(!text.contains("secret cause") && !text.contains("Tenants with functions"), "no figure is invented");
}

#[tokio::test]
async fn the_builder_is_asked_how_it_is() {
    let busy = with_builder(&builder(StatusCode::OK, (StatusCode::OK, r#"{"builds":4,"most":4}"#)).await).await;
    assert!(busy.contains("<span class=\"mark good\">Ready</span>") && busy.contains("4 of 4, more have to wait"));
    let free = with_builder(&builder(StatusCode::OK, (StatusCode::OK, r#"{"builds":1,"most":4}"#)).await).await;
    assert!(free.contains("1 of 4 at most"), "{free}");
    let sick = with_builder(&builder(StatusCode::SERVICE_UNAVAILABLE, (StatusCode::OK, EVIL)).await).await;
    assert!(sick.contains("Not ready: its log says why") && sick.contains("Not told") && !sick.contains("<script>"));
    let other = with_builder(&builder(StatusCode::NOT_FOUND, (StatusCode::NOT_FOUND, "")).await).await;
    assert!(other.contains("whether it is ready is not told") && other.contains("Not told"));
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gone = with_builder(&format!("http://{free}/")).await;
    assert!(gone.contains("<span class=\"mark bad\">Does not answer</span>") && gone.contains("Not told"));
    assert!(!gone.contains(&free.to_string()));
}

#[tokio::test]
async fn tenants_are_listed_with_their_functions_and_what_is_wrong_comes_first() {
    let dashboard = Dashboard::start().await;
    dashboard.put("alice-mail", 7);
    let mut evil = function("mallory-x", 66);
    evil.labels.insert("com.openfaas.cloud.git-owner".into(), EVIL.into());
    dashboard.fake.put_function(evil);
    for (name, replicas) in [("alice-slow", 0), ("alice-a", 0)] {
        dashboard.fake.put_function(FunctionStatus { available_replicas: replicas, ..function(name, 7) });
    }
    let mut broken = function("alice-zz", 7);
    broken.conditions =
        serde_json::from_value(serde_json::json!([{"type": "CrashLoop", "instance": "i", "message": "m"}])).unwrap();
    dashboard.fake.put_function(broken);
    let text = page(&dashboard).await;
    assert!(
        text.contains("alice <span class=\"soft small\">git.localhost/7</span></span><span class=\"soft\">5 functions")
    );
    assert!(
        text.contains("git.localhost/66</span></span><span class=\"soft\">1 function<") && !text.contains("<script>")
    );
    assert!(
        text.contains("<dt>Tenants with functions</dt><dd>2</dd>") && text.contains("<dt>In trouble</dt><dd>3</dd>")
    );
    let at = |name: &str| text.find(&format!("<span>{name}</span>")).unwrap();
    assert!(at("alice-zz") < at("alice-a") && at("alice-a") < at("alice-slow"), "{text}");
}
