//! Who may see what.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};

use crate::setup::{Dashboard, SHA, alice, operator, push, request};

/// Below an owner.
const PAGES: [&str; 8] =
    ["", "/-/deploys", "/-/secrets", "/-/audit", "/cart", "/cart/logs", "/cart/logs/live", "/cart/invoke"];

fn build() -> String {
    format!("/cart/build-log?repoPath=alice/shop&commitSHA={SHA}")
}

#[tokio::test]
async fn who_is_not_proven_to_be_somebody_sees_nothing() {
    let dashboard = Dashboard::start().await;
    for page in ["/", "/alice", "/alice/cart", "/-/operator", &format!("/alice{}", build())] {
        let bare = Request::get(page).body(Body::empty()).unwrap();
        assert_eq!(dashboard.page(bare).await.status, StatusCode::UNAUTHORIZED, "{page}");
        let mut forged = request("GET", page, &alice(), Duration::from_secs(60), Body::empty());
        forged.headers_mut().insert("x-auth-user", "root".parse().unwrap());
        assert_eq!(dashboard.page(forged).await.status, StatusCode::UNAUTHORIZED, "{page}");
    }
}

#[tokio::test]
async fn what_is_somebody_elses_looks_like_what_is_not_there() {
    let dashboard = Dashboard::start().await;
    dashboard.put("mallory-cart", 66);
    let nothing = dashboard.get("/nobody-at-all").await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
    for owner in ["mallory", "nobody", "Al%2Fice", "-", "alice%00"] {
        for page in PAGES.iter().map(ToString::to_string).chain([build()]) {
            let found = dashboard.get(&format!("/{owner}{page}")).await;
            assert_eq!((found.status, &found.text), (nothing.status, &nothing.text), "/{owner}{page}");
        }
    }
}

#[tokio::test]
async fn a_function_with_our_prefix_and_anothers_number_is_not_ours() {
    let dashboard = Dashboard::start().await;
    dashboard.put("alice-evil", 66);
    for page in ["/alice/evil", "/alice/evil/logs", "/alice/evil/invoke", "/alice/alice-evil"] {
        assert_eq!(dashboard.get(page).await.status, StatusCode::NOT_FOUND, "{page}");
    }
    assert!(!dashboard.get("/alice").await.text.contains("evil"));
    let mut bare = crate::setup::function("alice-bare", 7);
    bare.labels.remove("com.openfaas.cloud.git-cloud");
    dashboard.fake.put_function(bare);
    assert_eq!(dashboard.get("/alice/bare").await.status, StatusCode::NOT_FOUND, "not one of the pipeline's");
}

#[tokio::test]
async fn a_login_that_was_anothers_gives_none_of_the_others_builds() {
    let dashboard = Dashboard::start().await;
    let mut cart = dashboard.fake.function("alice-cart").unwrap();
    cart.labels.insert("com.openfaas.cloud.git-sha".into(), "f".repeat(40));
    dashboard.fake.put_function(cart);
    dashboard.log("the earlier alice's log\n");
    let mut others = push("success", "the earlier alice's message");
    others.owner_id.id = 6;
    dashboard.says("pipeline-log/history", [others]);
    assert_eq!(dashboard.get(&format!("/alice{}", build())).await.status, StatusCode::NOT_FOUND);
    assert!(!dashboard.get("/alice/-/deploys").await.text.contains("earlier"));
}

#[tokio::test]
async fn the_operators_page_is_for_operators() {
    let dashboard = Dashboard::start().await;
    assert_eq!(dashboard.get("/-/operator").await.status, StatusCode::NOT_FOUND);
    let page = dashboard.get_as(&operator(), "/-/operator").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Gateway") && page.text.contains("list-functions"));
    let foreign = dashboard.get_as(&operator(), "/alice").await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "an operator is no member everywhere");
}
