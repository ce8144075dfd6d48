//! Badges, for who has their address.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use sdk::gateway::FunctionStatus;

use crate::setup::{Dashboard, Page, SHA, function};

/// Where the router sends who asks for a badge.
fn at_dashboard(path: &str) -> String {
    format!("/-{path}")
}

/// The badge's address as the function's page shows it.
async fn address(dashboard: &Dashboard, page: &str) -> String {
    let page = dashboard.get(page).await.text;
    let (_, rest) = page.split_once("class=\"badge\" src=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn bare(dashboard: &Dashboard, method: Method, path: &str, known: &str) -> Page {
    let request = Request::builder().method(method).uri(path).header("if-none-match", known);
    dashboard.page(request.body(Body::empty()).unwrap()).await
}

async fn see(dashboard: &Dashboard, path: &str) -> Page {
    bare(dashboard, Method::GET, path, "\"none\"").await
}

/// Looks until the badge is as it should be: the gateway's word counts for a moment.
async fn eventually(dashboard: &Dashboard, path: &str, known: &str, is_right: impl Fn(&Page) -> bool) -> Page {
    let looked = async {
        loop {
            let seen = bare(dashboard, Method::GET, path, known).await;
            if is_right(&seen) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looked).await.unwrap()
}

#[tokio::test]
async fn who_has_its_address_sees_the_true_state_without_a_session() {
    let dashboard = Dashboard::start().await;
    let path = address(&dashboard, "/alice/cart").await;
    assert!(path.starts_with("/badge/alice/cart/"), "{path}");
    let seen = see(&dashboard, &at_dashboard(&path)).await;
    assert_eq!((seen.status, &seen.headers["content-type"]), (StatusCode::OK, &"image/svg+xml".parse().unwrap()));
    assert_eq!(seen.headers["cache-control"], "no-cache, max-age=0");
    assert!(seen.text.contains("Running") && !seen.text.contains(SHA));
    let tag = seen.headers["etag"].to_str().unwrap().to_owned();
    let again = bare(&dashboard, Method::GET, &at_dashboard(&path), &format!("\"x\", {tag}")).await;
    assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(again.headers["cache-control"], "no-cache, max-age=0");
    let head = bare(&dashboard, Method::HEAD, &at_dashboard(&path), "").await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
    dashboard.fake.put_function(FunctionStatus { available_replicas: 0, ..function("alice-cart", 7) });
    let changed = eventually(&dashboard, &at_dashboard(&path), &tag, |seen| seen.status == StatusCode::OK).await;
    assert!(changed.text.contains("Starting"), "{}", changed.text);
}

#[tokio::test]
async fn the_page_has_the_markdown_to_copy() {
    let dashboard = Dashboard::start().await;
    let path = address(&dashboard, "/alice/cart").await;
    let markdown = format!("[![cart](https://system.example.com{path})](https://alice.example.com/cart)");
    let page = dashboard.get("/alice/cart").await.text;
    assert!(page.contains(&format!("data-copy=\"{markdown}\"")), "{page}");
    let mut renamed = function("alice-cart", 7);
    renamed.labels.insert("com.openfaas.cloud.git-owner".into(), "earlier".into());
    dashboard.fake.put_function(renamed);
    let page = dashboard.get("/alice/cart").await;
    assert!(page.status == StatusCode::OK && !page.text.contains("class=\"badge\""));
}

#[tokio::test]
async fn everything_wrong_is_one_and_the_same_404() {
    let dashboard = Dashboard::start().await;
    dashboard.put("alice-mail", 7);
    dashboard.put("mallory-cart", 66);
    let path = address(&dashboard, "/alice/cart").await;
    let mail = address(&dashboard, "/alice/mail").await;
    let (proof, others) = (path.rsplit('/').next().unwrap(), mail.rsplit('/').next().unwrap());
    let nothing = see(&dashboard, "/-/badge/nobody/nothing/00000000000000000000000000000000.svg").await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
    let wrong = [
        "alice/cart/00000000000000000000000000000000.svg".to_owned(),
        format!("alice/cart/{others}"),
        format!("alice/mail/{proof}"),
        format!("mallory/cart/{proof}"),
        format!("alice/gone/{proof}"),
        format!("alice/cart/{}", proof.replace(".svg", "")),
        format!("alice/cart/{}", proof.to_ascii_uppercase().replace(".SVG", ".svg")),
        format!("alice/cart/0{proof}"),
        format!("alice/CART/{proof}"),
        format!("alice/ca%2Frt/{proof}"),
        format!("alice/{}/{proof}", "x".repeat(63)),
        "alice/cart/.svg".to_owned(),
    ];
    for path in wrong {
        let seen = see(&dashboard, &format!("/-/badge/{path}")).await;
        assert_eq!((seen.status, &seen.text), (nothing.status, &nothing.text), "{path}");
        assert_eq!(seen.headers["cache-control"], "no-store", "{path}");
    }
    // What somebody else deploys under the same name is somebody else's.
    dashboard.fake.put_function(function("alice-cart", 66));
    eventually(&dashboard, &at_dashboard(&path), "", |seen| seen.text == nothing.text).await;
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        assert_eq!(bare(&dashboard, method, &at_dashboard(&path), "").await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn while_the_gateway_is_down_nobody_learns_whether_a_proof_is_right() {
    let dashboard = Dashboard::start().await;
    let path = address(&dashboard, "/alice/cart").await;
    let down = |name: &str| {
        let route = format!("GET /system/function/{name}");
        dashboard.fake.refuse_next(&route, StatusCode::INTERNAL_SERVER_ERROR, "secret cause");
    };
    down("alice-cart");
    down("alice-cart");
    let right = see(&dashboard, &at_dashboard(&path)).await;
    assert_eq!(right.status, StatusCode::BAD_GATEWAY);
    let wrong = see(&dashboard, "/-/badge/alice/cart/00000000000000000000000000000000.svg").await;
    down("alice-gone");
    let gone = see(&dashboard, "/-/badge/alice/gone/00000000000000000000000000000000.svg").await;
    for other in [wrong, gone] {
        assert_eq!((other.status, &other.text), (right.status, &right.text));
    }
    assert!(!right.text.contains("secret cause"));
    eventually(&dashboard, &at_dashboard(&path), "", |seen| seen.status == StatusCode::OK).await;
}

#[tokio::test]
async fn many_who_look_at_once_are_one_question() {
    let dashboard = Dashboard::start().await;
    let path = at_dashboard(&address(&dashboard, "/alice/cart").await);
    // One refusal is the whole answer for all of them: nobody asks a second time.
    let route = "GET /system/function/alice-cart";
    dashboard.fake.refuse_next(route, StatusCode::INTERNAL_SERVER_ERROR, "once");
    let all = futures_util::future::join_all((0..200).map(|_| see(&dashboard, &path))).await;
    assert!(all.iter().all(|seen| seen.status == StatusCode::BAD_GATEWAY));
}
