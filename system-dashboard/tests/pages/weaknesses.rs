//! What the original's dashboard got wrong, one test for each, named after it. At the door the same is tested in
//! `of-router/tests/threats.rs`.
//!
//! * S4: the token was decoded and its signature never looked at; no cookie meant "allowed"; the Cookie header was cut at its
//!   dots, so that any other cookie could stand in for the token.
//! * S5: organisations were a string whose characters were gone through, so `acme` gave everything that begins with a, c, m or e;
//!   and names were compared by their beginnings, so `al` read `alice-fn`.
//! * S6: whoever was signed in could read any build log: only `user` was compared, and `repoPath` was free.
//! * S8: what was in an address was written into the page as it was, and led to wherever it said.
//! * S13: static files were the folder and whatever path was asked for.
//! * S14: the function's name and the window were pasted into queries.

use std::time::Duration;

use axum::body::Body;
use http::header::{COOKIE, LOCATION};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use sdk::fake_gateway::PAYLOAD_SECRET;
use sdk::identity::{EXPIRES_HEADER, IDENTITY_HEADER, Identity, IdentityKey, SIGNATURE_HEADER};
use sdk::signing::SignatureError;
use serde_json::json;

use crate::setup::{Dashboard, EVIL, SHA, alice, function, push, read, request};

const MINUTE: Duration = Duration::from_secs(60);

/// Every page that is somebody's.
fn pages() -> Vec<String> {
    let below = ["", "/-/deploys", "/-/secrets", "/-/audit", "/cart", "/cart/logs", "/cart/logs/live", "/cart/invoke"];
    let builds =
        ["build-log", "build-log/live"].map(|page| format!("/cart/{page}?repoPath=alice/shop&commitSHA={SHA}"));
    let below = below.map(str::to_owned).into_iter().chain(builds).map(|path| format!("/alice{path}"));
    ["/".to_owned(), "/-/operator".to_owned()].into_iter().chain(below).collect()
}

fn told(secret: &str, function: &str, lifetime: Duration) -> HeaderMap {
    let mut headers = HeaderMap::new();
    IdentityKey::derive(&secret.into(), function).tell(&mut headers, &alice(), lifetime);
    headers
}

fn right() -> HeaderMap {
    told(PAYLOAD_SECRET, "system-dashboard", MINUTE)
}

fn with(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = right();
    headers.insert(name, HeaderValue::from_str(value).unwrap());
    headers
}

fn cookie(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(value).unwrap())])
}

/// Of somebody whose time is over.
async fn expired() -> HeaderMap {
    let (headers, key) = (
        told(PAYLOAD_SECRET, "system-dashboard", Duration::ZERO),
        IdentityKey::derive(&PAYLOAD_SECRET.into(), "system-dashboard"),
    );
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    while key.read(&headers) != Err(SignatureError::Expired) {
        looks.tick().await;
    }
    headers
}

#[tokio::test]
async fn s4_nobody_is_who_the_router_does_not_say() {
    let dashboard = Dashboard::start().await;
    let claims = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.";
    let mut nameless = right();
    nameless.remove(SIGNATURE_HEADER);
    let mut endless = right();
    endless.remove(EXPIRES_HEADER);
    let other = Identity { id: 66, operator: true, ..alice() };
    let mut mixed = right();
    let mut others = HeaderMap::new();
    IdentityKey::derive(&"guessed".into(), "system-dashboard").tell(&mut others, &other, MINUTE);
    mixed.insert(IDENTITY_HEADER, others[IDENTITY_HEADER].clone());
    let signature = right()[SIGNATURE_HEADER].to_str().unwrap().to_owned();
    let forged = [
        ("nothing at all", HeaderMap::new()),
        ("a token without a signature", cookie(&format!("openfaas_cloud_token={claims}"))),
        ("another cookie in its place", cookie(&format!("theme=a.{claims}b; lang=en"))),
        ("a login alone", HeaderMap::from_iter([("x-auth-user".parse().unwrap(), HeaderValue::from_static("alice"))])),
        ("told by somebody else", told("guessed", "system-dashboard", MINUTE)),
        ("told with an empty secret", told("", "system-dashboard", MINUTE)),
        ("told to another function", told(PAYLOAD_SECRET, "list-functions", MINUTE)),
        ("told to no function", told(PAYLOAD_SECRET, "", MINUTE)),
        ("no signature", nameless),
        ("no time", endless),
        ("an empty signature", with(SIGNATURE_HEADER, "v1=")),
        ("half a signature", with(SIGNATURE_HEADER, &signature[..signature.len() / 2])),
        ("a signature of another kind", with(SIGNATURE_HEADER, signature.trim_start_matches("v1="))),
        ("a later end", with(EXPIRES_HEADER, "99999999999")),
        ("another login", with("x-auth-user", "root")),
        ("more organisations", with("x-auth-orgs", "acme,beta,mallory")),
        ("somebody else's identity", mixed),
        ("no identity", with(IDENTITY_HEADER, "")),
        ("an expired one", expired().await),
    ];
    for page in pages() {
        for (what, headers) in &forged {
            let mut request = Request::get(&page).body(Body::empty()).unwrap();
            request.headers_mut().extend(headers.clone());
            let found = dashboard.page(request).await;
            assert_eq!(found.status, StatusCode::UNAUTHORIZED, "{page}: {what}");
            assert!(!found.text.contains("cart") && !found.text.contains("alice"), "{page}: {what}");
        }
    }
    for action in ["scale", "redeploy", "delete", "invoke"] {
        for (what, headers) in &forged {
            let mut request = Request::post(format!("/alice/cart/{action}")).body(Body::from("replicas=0")).unwrap();
            request.headers_mut().extend(headers.clone());
            assert_eq!(dashboard.page(request).await.status, StatusCode::UNAUTHORIZED, "{action}: {what}");
        }
    }
    assert_eq!(dashboard.fake.function("alice-cart").unwrap().replicas, 1);
}

#[tokio::test]
async fn s5_a_role_is_at_one_owner_by_number_and_never_by_a_part_of_a_name() {
    let dashboard = Dashboard::start().await;
    let put = |name: &str, owner: &str, id| {
        let mut function = function(name, id);
        function.labels.insert("com.openfaas.cloud.git-owner".to_owned(), owner.to_owned());
        dashboard.fake.put_function(function);
    };
    dashboard.put("acme-own", 9);
    for (at, owner) in (100..).zip(["a", "c", "m", "e", "ac", "acme-x"]) {
        put(&format!("{owner}-fn"), owner, at);
    }
    put("alice-fn", "alice", 7);
    assert_eq!(dashboard.get("/acme/own").await.status, StatusCode::OK, "a member's own");
    for path in
        ["/a", "/c", "/m", "/e", "/ac", "/acme-x", "/a/fn", "/acme-x/fn", "/acme/a-fn", "/acme/x-fn", "/acme/fn"]
    {
        assert_eq!(dashboard.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(!dashboard.get("/acme").await.text.contains("a-fn"));
    // Whose login is the beginning of another's, or longer than that.
    for login in ["al", "alic", "alice-f", "alicex"] {
        let who: Identity = read(json!({"host": "git.localhost", "id": 70, "login": login}));
        for path in
            [format!("/{login}/alice-fn"), format!("/{login}/ice-fn"), format!("/{login}/n"), "/alice/fn".to_owned()]
        {
            let found = dashboard.get_as(&who, &path).await;
            assert_eq!(found.status, StatusCode::NOT_FOUND, "{login}: {path}");
        }
        assert!(!dashboard.get_as(&who, &format!("/{login}")).await.text.contains("alice-fn"), "{login}");
    }
    // The same number and login at another host is somebody else.
    let elsewhere = Identity { host: "github.com".to_owned(), ..alice() };
    for path in ["/alice/cart", "/alice/fn", "/acme/own"] {
        assert_eq!(dashboard.get_as(&elsewhere, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn s6_a_stranger_with_repository_and_commit_reads_no_build_log() {
    let dashboard = Dashboard::start().await;
    dashboard.log("hush\n");
    dashboard.fake.answer_with("pipeline-log/follow", |_| (StatusCode::OK, "hush\n".to_owned()));
    let mallory: Identity = read(json!({"host": "git.localhost", "id": 66, "login": "mallory"}));
    // Even with a function of the same name, from a repository and a commit of the same names.
    dashboard.put("mallory-cart", 66);
    let query = format!("repoPath=alice/shop&commitSHA={SHA}");
    for page in ["build-log", "build-log/live"] {
        for (owner, name) in [("mallory", "cart"), ("alice", "cart"), ("mallory", "alice-cart")] {
            for more in ["", "&user=alice", "&repoPath=mallory/shop", "&from=0", "&user[]=alice"] {
                let path = format!("/{owner}/{name}/{page}?{query}{more}");
                let found = dashboard.get_as(&mallory, &path).await;
                let is_refused = matches!(found.status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST);
                assert!(is_refused && !found.text.contains("hush"), "{path}: {}", found.status);
            }
        }
    }
    for read in ["pipeline-log/read", "pipeline-log/follow"] {
        assert!(dashboard.fake.messages(read).is_empty(), "{read} was not even asked");
    }
    assert!(dashboard.get(&format!("/alice/cart/build-log?{query}")).await.text.contains("hush"));
}

#[tokio::test]
async fn s8_nothing_of_an_address_is_written_as_it_is_and_none_leads_elsewhere() {
    let dashboard = Dashboard::start().await;
    dashboard.log("a line\n");
    let build = format!("/alice/cart/build-log?repoPath=alice/shop&commitSHA={SHA}");
    let evil = [EVIL, "\"onmouseover=alert(1) x=\"", "//evil.example", "\r\nx-evil: 1", "%00\u{1b}[31m"];
    let names =
        ["filter", "sort", "page", "done", "repo", "before", "window", "range", "grep", "instance", "until", "since"];
    let more = ["from", "q", "next", "r", "url", "redirect", "return_to", "<script>alert(1)</script>"];
    for page in ["/?", "/alice?", "/alice/-/deploys?", "/alice/cart?", "/alice/cart/logs?", &format!("{build}&")] {
        for name in names.iter().chain(&more) {
            for value in evil {
                let pair = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
                let mut asked = request("GET", &format!("{page}{pair}"), &alice(), MINUTE, Body::empty());
                asked.headers_mut().insert("x-forwarded-host", HeaderValue::from_static("evil.example"));
                is_harmless(&dashboard.page(asked).await, &format!("{page}{pair}"));
            }
        }
    }
    for part in
        ["%3Cscript%3Ealert(1)%3C%2Fscript%3E", "%22%3E%3Cimg%20src=x%3E", "%ff%fe", "%00", "%0d%0ax-evil:1", "..%2f.."]
    {
        for path in
            [format!("/{part}"), format!("/alice/{part}"), format!("/alice/cart/{part}"), format!("/alice/{part}/logs")]
        {
            let found = dashboard.get(&path).await;
            is_harmless(&found, &path);
            assert!(found.status.is_client_error(), "{path}: {}", found.status);
        }
    }
}

fn is_harmless(page: &crate::setup::Page, path: &str) {
    let text = page.text.replace("<script src=\"/dashboard/-/assets/", "");
    for raw in ["<script", "<img src=x", " x=\"", "href=\"//evil", "evil.example/\"", "\u{1b}", "\0"] {
        assert!(!text.contains(raw), "{path}: {raw} is in {text}");
    }
    assert!(page.headers.get("x-evil").is_none() && page.headers.get(LOCATION).is_none(), "{path}");
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"), "{path}: {text}");
}

#[tokio::test]
async fn s8_who_did_something_is_led_to_a_page_of_ours() {
    let dashboard = Dashboard::start().await;
    let token = dashboard.token("/alice/cart").await;
    let form = format!("token={token}&replicas=1&next=//evil.example&done=//evil.example");
    for action in ["scale", "redeploy"] {
        let path = format!("/alice/cart/{action}?next=https://evil.example&done=x");
        let mut sent = request("POST", &path, &alice(), MINUTE, Body::from(form.clone()));
        for (name, value) in
            [("host", "evil.example"), ("referer", "https://evil.example/"), ("sec-fetch-site", "same-origin")]
        {
            sent.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let led = dashboard.page(sent).await;
        let address = led.headers[LOCATION].to_str().unwrap();
        assert!(address.starts_with("/dashboard/alice/cart?done=") && !address.contains("evil"), "{address}");
    }
}

#[tokio::test]
async fn s13_no_path_below_the_assets_leaves_them() {
    let dashboard = Dashboard::start().await;
    for path in [
        "/-/assets/../Cargo.toml",
        "/-/assets/../../src/lib.rs",
        "/-/assets/..%2fCargo.toml",
        "/-/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/-/assets/%2e%2e/Cargo.toml",
        "/-/assets/%2e%2e%2f%2e%2e%2fetc/passwd",
        "/-/assets/..%5c..%5cetc%5cpasswd",
        "/-/assets/%2fetc%2fpasswd",
        "/-/assets//etc/passwd",
        "/-/assets/file:%2f%2f%2fetc%2fpasswd",
        "/-/assets/icon.svg%00.css",
        "/-/assets/icon.svg/..",
        "/-/assets/./icon.svg",
        "/-/assets/ICON.SVG",
        "/-/assets/style.css",
        "/-/assets/live.js",
        "/-/assets/.",
        "/-/assets/",
        "/-/assets",
        "//etc/passwd",
        "/../../etc/passwd",
        "/var/openfaas/secrets/payload-secret",
        "/var%2fopenfaas%2fsecrets%2fpayload-secret",
    ] {
        let found = dashboard.get(path).await;
        assert_eq!(found.status, StatusCode::NOT_FOUND, "{path}");
        assert!(found.text.contains("There is nothing here"), "{path}");
    }
    assert_eq!(dashboard.get("/-/assets/icon.svg").await.status, StatusCode::OK);
}

#[tokio::test]
async fn s14_names_and_windows_that_are_queries_are_asked_of_nobody() {
    let dashboard = Dashboard::start().await;
    for window in ["1h%5D))%20or%20vector(1)%20or%20sum((up%5B1h", "", "1h%0a", "60m", "1H", "1h&window=24h"] {
        let found = dashboard.get(&format!("/alice/cart?window={window}")).await;
        assert_eq!(found.status, StatusCode::BAD_REQUEST, "{window}");
    }
    for name in
        ["cart%22%7D%20or%20up%7Bx=%22", ".*", "cart%7Cmail", "cart%5C", "cart%0a", "Cart", "%2e%2e%2falice-cart"]
    {
        let found = dashboard.get(&format!("/alice/{name}?window=1h")).await;
        assert_eq!(found.status, StatusCode::NOT_FOUND, "{name}");
    }
    assert!(dashboard.fake.messages("system-metrics").is_empty());
    assert_eq!(dashboard.get("/alice/cart?window=24h").await.status, StatusCode::OK);
    let asked: serde_json::Value = dashboard.fake.messages("system-metrics")[0].read();
    assert_eq!((&asked["functions"], &asked["window"]), (&json!(["alice-cart"]), &json!("24h")));
}

/// What is answered is not believed either: a record of somebody else's shows nothing, whoever answers with it.
#[tokio::test]
async fn s6_s7_records_of_others_are_not_shown_even_if_they_are_answered() {
    let dashboard = Dashboard::start().await;
    let mut theirs = push("success", "somebody else's");
    theirs.owner_id.id = 66;
    dashboard.says("pipeline-log/history", [theirs]);
    for page in ["/alice", "/alice/cart", "/alice/-/deploys"] {
        assert!(!dashboard.get(page).await.text.contains("somebody else"), "{page}");
    }
}
