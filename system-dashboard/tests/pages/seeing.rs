//! What pages show, and how they stay whole when others do not answer or write what they should not.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;

use crate::setup::{Dashboard, EVIL, alice, function, metrics, push, request};

const MINUTE: std::time::Duration = std::time::Duration::from_secs(60);

#[tokio::test]
async fn an_owners_page_shows_functions_and_what_was_deployed() {
    let dashboard = Dashboard::start().await;
    let page = dashboard.get("/alice").await;
    assert_eq!(page.status, StatusCode::OK);
    for shown in
        ["cart", "https://alice.example.com/cart", "Running", "1/1", "1.3k", "2.4 %", "Sell things", "Alice Doe"]
    {
        assert!(page.text.contains(shown), "{shown}");
    }
    assert!(dashboard.get("/alice?filter=CAR&sort=calls").await.text.contains(">cart<"));
    assert!(dashboard.get("/alice?filter=nothing").await.text.contains("No function has"));
    let home = dashboard.get("/").await;
    assert!(home.text.contains("1 function") && home.text.contains("acme") && home.text.contains("Viewer"));
}

#[tokio::test]
async fn a_function_page_has_names_and_no_values() {
    let dashboard = Dashboard::start().await;
    let page = dashboard.get("/alice/cart?window=24h").await;
    for shown in ["MODE", "alice-db", "128Mi", "sha256:000", "orders", "84 ms", "role=\"img\"", "Sell things", "Delete"]
    {
        assert!(page.text.contains(shown), "{shown}");
    }
    assert!(!page.text.contains("value-nobody-sees"));
    assert_eq!(dashboard.get("/alice/cart?window=1y").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn who_has_nothing_is_told_how_to_begin() {
    let dashboard = Dashboard::start().await;
    dashboard.says("pipeline-log/history", json!([]));
    let page = dashboard.get("/acme").await;
    assert!(page.text.contains("Deploy your first function"));
    assert!(dashboard.get("/acme/-/deploys").await.text.contains("Nothing has been pushed"));
}

#[tokio::test]
async fn a_part_that_does_not_answer_is_missing_and_the_rest_is_there() {
    let dashboard = Dashboard::start().await;
    for down in ["system-metrics", "pipeline-log/history"] {
        dashboard.fails(down);
    }
    let page = dashboard.get("/alice").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("The figures cannot be shown") && page.text.contains("The history cannot be shown"));
    assert!(page.text.contains(">cart<") && !page.text.contains("secret cause"));
    let page = dashboard.get("/alice/cart").await;
    assert!(page.text.contains("The figures cannot be shown") && page.text.contains("128Mi"));
    dashboard.fails("list-functions/page");
    assert!(dashboard.get("/").await.text.contains("alice"));
    assert!(dashboard.get("/alice/-/deploys").await.text.contains("The history cannot be shown"));
    assert!(dashboard.get("/alice/-/secrets").await.text.contains("The secrets cannot be shown"));
    dashboard.says("pipeline-log/history", json!([push("success", "Sell things")]));
    let page = dashboard.get("/alice").await;
    assert!(page.text.contains("The functions cannot be shown") && page.text.contains("Sell things"));
    dashboard.fake.answer_with("system-metrics", |_| (StatusCode::OK, "no json".to_owned()));
    assert!(dashboard.get("/alice/cart").await.text.contains("The figures cannot be shown"));
    dashboard.fake.refuse_next("GET /system/function/alice-cart", StatusCode::INTERNAL_SERVER_ERROR, "secret cause");
    assert_eq!(dashboard.get("/alice/cart").await.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn what_strangers_write_is_text_everywhere() {
    let dashboard = Dashboard::start().await;
    let mut evil = function("alice-cart", 7);
    evil.annotations.insert("com.openfaas.cloud.git-repo-url".into(), "javascript:alert(1)".into());
    evil.annotations.insert("topic".into(), EVIL.into());
    evil.env_vars.insert(EVIL.into(), String::new());
    evil.labels.insert("com.openfaas.cloud.git-branch".into(), EVIL.into());
    evil.conditions =
        serde_json::from_value(json!([{"type": "CrashLoop", "instance": EVIL, "message": EVIL, "log": [EVIL]}]))
            .unwrap();
    dashboard.fake.put_function(evil);
    let mut record = push("failure", &format!("{EVIL}\n\n{EVIL}"));
    record.author = EVIL.to_owned();
    record.html_url = "javascript:alert(1)".to_owned();
    record.functions[0].description = EVIL.to_owned();
    dashboard.says("pipeline-log/history", [record]);
    dashboard.log(format!("{EVIL}\n"));
    let build = format!("/alice/cart/build-log?repoPath=alice/shop&commitSHA={}&q=%3Cscript%3E", crate::setup::SHA);
    let search = "/alice?filter=%3Cscript%3E%22";
    for path in ["/alice", "/alice/cart", "/alice/-/deploys", search, &build] {
        let page = dashboard.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(!page.text.contains("<script>") && !page.text.contains("<img src=x"), "{path}");
        assert!(!page.text.contains("\"javascript:"), "{path}");
    }
}

#[tokio::test]
async fn browsers_are_told_to_take_nothing_from_elsewhere() {
    let dashboard = Dashboard::start().await;
    for path in ["/", "/alice", "/alice/cart", "/alice/-/secrets", "/alice/cart/invoke", "/nobody"] {
        let page = dashboard.get(path).await;
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}");
        assert!(page.headers["cache-control"] == "no-store" && page.headers["x-frame-options"] == "DENY", "{path}");
        assert!(
            !page.text.contains(" style=") && !page.text.contains("<style") && !page.text.contains(" onclick"),
            "{path}"
        );
    }
    let page = dashboard.get("/alice").await.text;
    let (_, css) = page.split_once("href=\"/dashboard/-/assets/").unwrap_or_default();
    let (_, js) = page.split_once("src=\"/dashboard").unwrap();
    assert!(css.starts_with("icon.svg"));
    let js = js.split('"').next().unwrap();
    let script = dashboard.page(Request::get(js).body(Body::empty()).unwrap()).await;
    assert_eq!(script.headers["cache-control"], "public, max-age=31536000, immutable");
    let other = dashboard.page(Request::get("/-/assets/0000000000000000.js").body(Body::empty()).unwrap()).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_thousand_functions_are_a_small_page() {
    let dashboard = Dashboard::start().await;
    let all: Vec<_> = (0..1000).map(|n| function(&format!("alice-f{n:04}"), 7)).collect();
    dashboard.has(&all);
    dashboard.says("system-metrics", metrics("alice-f0000"));
    let mut request = request("GET", "/alice?page=40&sort=name", &alice(), MINUTE, Body::empty());
    request.headers_mut().insert("accept-encoding", "br, gzip".parse().unwrap());
    let response = tower::ServiceExt::oneshot(dashboard.router.clone(), request).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    assert!(bytes.len() < 40_000, "{}", bytes.len());
    let first = dashboard.get("/alice").await.text;
    assert!(
        first.contains("f0000")
            && first.contains("f0024")
            && !first.contains("f0025")
            && first.contains("Page 1 of 40")
    );
    assert_eq!(dashboard.fake.messages("list-functions").len(), 1, "the first page does not need all");
    let last = dashboard.get("/alice?page=99").await.text;
    assert!(last.contains("f0999") && last.contains("Page 40 of 40"));
}

#[tokio::test]
async fn secrets_are_names_of_the_owners_alone_with_a_warning_in_time() {
    let dashboard = Dashboard::start().await;
    let secret = |newest: bool| json!({"db": {"name": "alice-db", "repo": "shop", "keys": {"pin-code": {"newest": newest, "fingerprint": "cd"}}, "changed_at": "2026-01-01T00:00:00Z"}});
    let theirs =
        json!({"theirs": {"name": "acme-theirs", "repo": "x", "keys": {}, "changed_at": "2026-01-01T00:00:00Z"}});
    let soon = chrono::Utc::now() + chrono::Duration::days(12);
    let report = json!({
        "certificate": {"fingerprint": "ab12", "not_before": "2026-01-01T00:00:00Z", "not_after": soon},
        "owners": [
            {"host": "git.localhost", "id": 7, "login": "alice", "secrets": secret(false)},
            {"host": "git.localhost", "id": 9, "login": "acme", "secrets": theirs},
        ],
    });
    dashboard.says("import-secrets/v1/report", report);
    let page = dashboard.get("/alice/-/secrets").await.text;
    for shown in ["pin-code", "shop", "The certificate ends in 1", "sealed to an older key", "ab12"] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(!page.contains("theirs"));
    let page = dashboard.get("/beta/-/secrets").await.text;
    assert!(page.contains("for members") && !page.contains("pin-code"));
}
