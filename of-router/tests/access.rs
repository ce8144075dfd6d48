//! Who gets in, and who does not.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use sdk::identity::{Identity, IdentityKey};
use session::protocol::Scope;
use support::auth::{Auth, Manner, SECRET, claims, new_key, person};
use support::{DEADLINE, Gateway, Router, config};

const ACCESS: &str = "com.openfaas.cloud.access";
const ALICE: &str = "alice.localhost";
const PAGE: &str = "text/html,*/*";

struct Place {
    gateway: Gateway,
    auth: Auth,
    router: Router,
}

async fn place() -> Place {
    place_with(|_| ()).await
}

async fn place_with(change: impl FnOnce(&mut of_router::Config)) -> Place {
    let (gateway, auth) = (Gateway::start().await, Auth::start().await);
    gateway.deploy_with("alice-open", "alice", 42, &[]);
    gateway.deploy_with("alice-ours", "alice", 42, &[(ACCESS, "members")]);
    gateway.deploy_with("acme-ours", "acme", 7, &[(ACCESS, "members")]);
    gateway.deploy_with("acme-mine", "acme", 7, &[(ACCESS, "owner")]);
    gateway.deploy_with("acme-odd", "acme", 7, &[(ACCESS, "Member")]);
    let mut config = auth.behind(config(gateway.address));
    change(&mut config);
    let router = Router::start(config).await;
    Place { gateway, auth, router }
}

impl Place {
    async fn with_cookie(&self, host: &str, path: &str, token: &str) -> reqwest::Response {
        let cookie = format!("a=1; ofc_session={token}");
        self.router.get(host, path).header("cookie", cookie).send().await.unwrap()
    }

    async fn status(&self, host: &str, path: &str, token: &str) -> u16 {
        self.with_cookie(host, path, token).await.status().as_u16()
    }

    async fn by_token(&self, host: &str, path: &str, token: &str) -> u16 {
        let request = self.router.get(host, path).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    }

    /// Waits until the router believes tokens without asking.
    async fn settle(&self) {
        let token = self.auth.token(&person("probe", 1), "probe", ALICE, 600);
        let settled = async {
            loop {
                let before = self.auth.questions();
                assert_ne!(self.status(ALICE, "/ours", &token).await, 200);
                if self.auth.questions() == before && self.auth.listeners() > 0 {
                    return;
                }
            }
        };
        tokio::time::timeout(DEADLINE, settled).await.unwrap();
    }

    fn last_caller(&self, function: &str) -> Option<Identity> {
        let reached = self.gateway.reached().pop().unwrap();
        IdentityKey::derive(&SECRET.into(), function).read(&reached.headers).unwrap()
    }
}

#[tokio::test]
async fn members_get_in_and_the_function_is_told_who_calls() {
    let place = place().await;
    place.settle().await;
    let alice = person("alice", 42);
    let token = place.auth.token(&alice, "s1", "acme.localhost", 600);
    let before = place.auth.questions();
    for _ in 0..3 {
        let answer = place.with_cookie("acme.localhost", "/ours/cookies", &token).await;
        assert_eq!(answer.status(), 200);
        let set: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
        assert_eq!(set, ["a=1"], "a function cannot set the platform's cookies");
    }
    assert_eq!(place.auth.questions(), before, "what can be decided here is not asked");
    assert_eq!(place.last_caller("acme-ours"), Some(alice));
    let reached = place.gateway.reached().pop().unwrap();
    assert_eq!(
        (&reached.headers["cookie"], &reached.headers["x-auth-user"]),
        (&"a=1".parse().unwrap(), &"alice".parse().unwrap())
    );
    let other = IdentityKey::derive(&SECRET.into(), "acme-mine");
    assert!(other.read(&reached.headers).is_err(), "what one function is told, it cannot tell another");
}

#[tokio::test]
async fn who_is_not_signed_in_is_sent_to_do_that_and_who_may_not_is_told() {
    let place = place().await;
    place.settle().await;
    let page = place.router.get(ALICE, "/ours/a?x=/y").header("accept", PAGE).send().await.unwrap();
    assert_eq!(page.status(), 303);
    assert_eq!(page.headers()["location"], "/.ofc/login?to=%2Fours%2Fa%3Fx%3D%2Fy");
    for request in [place.router.get(ALICE, "/ours"), place.router.post(ALICE, "/ours").header("accept", PAGE)] {
        let answer = request.send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["www-authenticate"]),
            (401, &"Bearer".parse().unwrap())
        );
    }
    let bob = place.auth.token(&person("bob", 2), "s2", ALICE, 600);
    let answer = place.with_cookie(ALICE, "/ours", &bob).await;
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.text().await.unwrap(), "You are signed in as bob, who may not call this function of alice.\n");
    let cookie = format!("ofc_session={}", place.auth.token(&person("bob", 43), "page", ALICE, 600));
    let page = place.router.get(ALICE, "/ours").header("cookie", cookie).header("accept", PAGE).send().await.unwrap();
    assert_eq!(
        (page.status().as_u16(), &page.headers()["content-type"]),
        (403, &"text/html; charset=utf-8".parse().unwrap())
    );
    assert_eq!(page.headers()["cache-control"], "no-store");
    let page = page.text().await.unwrap();
    assert!(page.contains("You are signed in as bob") && page.contains("href=\"/.ofc/logout\""), "{page}");
    let member = place.auth.token(&person("alice", 42), "s3", "acme.localhost", 600);
    assert_eq!(place.status("acme.localhost", "/ours", &member).await, 200);
    assert_eq!(place.status("acme.localhost", "/mine", &member).await, 403, "for owners");
    assert_eq!(place.status("acme.localhost", "/odd", &member).await, 403, "what is not understood is for owners");
    place.gateway.deploy_with("acme-lost", "acme", 0, &[(ACCESS, "members")]);
    assert_eq!(place.status("acme.localhost", "/lost", &member).await, 403, "an owner without a number is nobody");
    let reached = place.gateway.reached().len();
    assert_eq!(place.router.status(ALICE, "/open").await, 200);
    assert_eq!(place.gateway.reached().len(), reached + 1);
    assert!(!place.gateway.reached()[reached].headers.contains_key("x-auth-user"));
}

#[tokio::test]
async fn tokens_that_are_not_for_this_host_or_not_ours_open_nothing() {
    let place = place().await;
    place.settle().await;
    let alice = person("alice", 42);
    let good = place.auth.token(&alice, "s1", ALICE, 600);
    assert_eq!(place.status(ALICE, "/ours", &good).await, 200);
    let unsigned = {
        let mut parts: Vec<&str> = good.split('.').collect();
        parts[0] = "eyJhbGciOiJub25lIn0";
        parts[2] = "";
        parts.join(".")
    };
    let mut changed = good.clone().into_bytes();
    let end = changed.len() - 10;
    changed[end] = if changed[end] == b'A' { b'B' } else { b'A' };
    let mut foreign_claims = claims(&alice, "s1", ALICE, 600);
    foreign_claims.iss = "http://auth.system.example.org".into();
    let bad = [
        place.auth.token(&alice, "s1", "acme.localhost", 600),
        place.auth.token(&alice, "s1", "auth.system.localhost", 600),
        new_key().sign(&claims(&alice, "s1", ALICE, 600)).unwrap(),
        new_key().sign(&foreign_claims).unwrap(),
        unsigned,
        String::from_utf8(changed).unwrap(),
        format!("{good}; ofc_session={good}"),
        "x".repeat(5000),
        "a.b.c".into(),
    ];
    for token in bad {
        assert_eq!(place.status(ALICE, "/ours", &token).await, 401, "{token}");
    }
}

#[tokio::test]
async fn a_session_that_is_revoked_ends_during_use() {
    let place = place().await;
    place.settle().await;
    let token = place.auth.token(&person("alice", 42), "s1", ALICE, 600);
    assert_eq!(place.status(ALICE, "/ours", &token).await, 200);
    place.auth.revoke("s1");
    let ended = async { while place.status(ALICE, "/ours", &token).await != 401 {} };
    tokio::time::timeout(DEADLINE, ended).await.unwrap();
    let other = place.auth.token(&person("alice", 42), "s2", ALICE, 600);
    assert_eq!(place.status(ALICE, "/ours", &other).await, 200, "others go on");
}

#[tokio::test]
async fn without_notices_every_token_is_asked_about() {
    let place = place_with(|config| config.auth_silence = Duration::from_millis(400)).await;
    place.settle().await;
    let token = place.auth.token(&person("alice", 42), "s1", ALICE, 600);
    assert_eq!(place.status(ALICE, "/ours", &token).await, 200);
    place.auth.fall_silent(true);
    let silent = async {
        let before = place.auth.questions();
        while place.auth.questions() < before + 3 {
            assert_eq!(place.status(ALICE, "/ours", &token).await, 200);
        }
    };
    tokio::time::timeout(DEADLINE, silent).await.unwrap();
    place.auth.revoke("s1");
    assert_eq!(place.status(ALICE, "/ours", &token).await, 401, "nothing is kept while nothing can be taken back");
    let token = place.auth.token(&person("alice", 42), "s2", ALICE, 600);
    place.auth.answers(Manner::Says(500, Vec::new()));
    assert_eq!(place.status(ALICE, "/ours", &token).await, 503);
    assert_eq!(place.router.status(ALICE, "/open").await, 200);
    place.auth.fall_silent(false);
    let back = async { while place.status(ALICE, "/ours", &token).await != 200 {} };
    tokio::time::timeout(DEADLINE, back).await.unwrap();
}

#[tokio::test]
async fn a_notice_that_is_not_understood_is_taken_for_the_end_of_a_session() {
    let place = place().await;
    place.settle().await;
    let token = place.auth.token(&person("alice", 42), "s1", ALICE, 600);
    place.auth.answers(Manner::Says(500, Vec::new()));
    assert_eq!(place.status(ALICE, "/ours", &token).await, 200);
    let listeners = place.auth.listeners();
    place.auth.say("{\"revokedd\":1}");
    let closed =
        async { while place.auth.listeners() == listeners && place.status(ALICE, "/ours", &token).await != 503 {} };
    tokio::time::timeout(DEADLINE, closed).await.unwrap();
    let again = async { while place.status(ALICE, "/ours", &token).await != 200 {} };
    tokio::time::timeout(DEADLINE, again).await.unwrap();
    assert!(place.auth.listeners() > listeners, "a new connection has told all anew");
}

#[tokio::test]
async fn an_old_token_is_renewed_on_the_way_and_asked_about_once() {
    let place = place().await;
    place.settle().await;
    let old = place.auth.token(&person("alice", 42), "s1", ALICE, -30);
    let before = place.auth.questions();
    let answers = join_all((0..20).map(|_| place.with_cookie(ALICE, "/ours", &old))).await;
    for answer in &answers {
        assert_eq!(answer.status(), 200);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.starts_with("ofc_session=ey") && cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
    }
    assert_eq!(place.auth.questions(), before + 1);
    let cookie = answers[0].headers()["set-cookie"].to_str().unwrap();
    let new = cookie.strip_prefix("ofc_session=").unwrap().split(';').next().unwrap();
    assert_eq!(place.status(ALICE, "/ours", new).await, 200);
    assert_eq!(place.auth.questions(), before + 1, "the new one is believed");
    place.auth.revoke("s1");
    let ended = async { while place.status(ALICE, "/ours", &old).await != 401 {} };
    tokio::time::timeout(DEADLINE, ended).await.unwrap();
}

#[tokio::test]
async fn a_new_key_is_fetched_when_its_first_token_comes() {
    let place = place().await;
    place.settle().await;
    place.auth.rotate();
    let before = place.auth.questions();
    let token = place.auth.token(&person("alice", 42), "s1", ALICE, 600);
    let known = async { while place.status(ALICE, "/ours", &token).await != 200 {} };
    tokio::time::timeout(DEADLINE, known).await.unwrap();
    assert_eq!(place.auth.questions(), before);
}

#[tokio::test]
async fn api_tokens_do_what_they_are_for_and_go_no_further_than_the_router() {
    let place = place().await;
    place.settle().await;
    let alice = person("alice", 42);
    place.auth.api_token("ofct_invoke", &alice, &[Scope::Invoke]);
    place.auth.api_token("ofct_read", &alice, &[Scope::Read]);
    let before = place.auth.questions();
    for _ in 0..5 {
        assert_eq!(place.by_token(ALICE, "/ours", "ofct_invoke").await, 200);
    }
    assert_eq!(place.auth.questions(), before + 1);
    assert_eq!(place.last_caller("alice-ours"), Some(alice));
    assert_eq!(place.by_token(ALICE, "/open", "ofct_invoke").await, 200);
    assert!(place.gateway.reached().iter().all(|reached| !reached.headers.contains_key("authorization")));
    assert_eq!(place.by_token(ALICE, "/open", "somebody-else-s").await, 200);
    assert_eq!(place.gateway.reached().pop().unwrap().headers["authorization"], "Bearer somebody-else-s");
    assert_eq!(place.by_token(ALICE, "/ours", "ofct_read").await, 403);
    assert_eq!(place.by_token("system.localhost", "/dashboard", "ofct_read").await, 200);
    assert_eq!(place.by_token("system.localhost", "/dashboard", "ofct_invoke").await, 403);
    for unknown in ["ofct_unknown", "ofct_", "ofct_a/b"] {
        assert_eq!(place.by_token(ALICE, "/ours", unknown).await, 401, "{unknown}");
    }
    let cookie = place.auth.token(&person("alice", 42), "s1", ALICE, 600);
    let both = place.router.get(ALICE, "/ours").header("cookie", format!("ofc_session={cookie}"));
    assert_eq!(both.bearer_auth("ofct_unknown").send().await.unwrap().status(), 401, "a bad token is not made up for");
    place.auth.revoke("sid-of-ofct_invoke");
    let ended = async { while place.by_token(ALICE, "/ours", "ofct_invoke").await != 401 {} };
    tokio::time::timeout(DEADLINE, ended).await.unwrap();
}

#[tokio::test]
async fn anything_but_a_clear_yes_is_a_no() {
    let place = place().await;
    place.settle().await;
    let alice = person("alice", 42);
    let yes =
        serde_json::json!({"claims": claims(&alice, "s", ALICE, 600), "keep": 5, "scopes": ["invoke"]}).to_string();
    let change = |from: &str, to: &str| yes.replace(from, to).into_bytes();
    let mut manners: Vec<Manner> = (200..600)
        .filter(|status| *status != 401 && (*status > 200) && *status != 204 && *status != 304)
        .map(|status| Manner::Says(status, yes.clone().into_bytes()))
        .collect();
    manners.extend([204, 304].map(|status| Manner::Says(status, Vec::new())));
    let bodies = [
        Vec::new(),
        b"OK".to_vec(),
        b"true".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        b"<html>welcome</html>".to_vec(),
        yes.as_bytes()[..yes.len() - 2].to_vec(),
        format!("{yes}{yes}").into_bytes(),
        change("\"aud\":\"alice.localhost\"", "\"aud\":\"acme.localhost\""),
        change("\"iss\":\"http://auth.system.localhost\"", "\"iss\":\"http://evil\""),
        change("\"id\":42", "\"id\":0"),
        change("\"sub\":\"github.com/42\"", "\"sub\":\"github.com/1\""),
        change("\"scopes\"", "\"scope\""),
        change("[\"invoke\"]", "[\"everything\"]"),
        change("\"sid\":\"s\"", "\"sid\":\"\""),
        serde_json::json!({"claims": claims(&alice, "s", ALICE, -1), "keep": 5, "scopes": ["invoke"]})
            .to_string()
            .into_bytes(),
        vec![b' '; 10 << 20],
    ];
    manners.extend(bodies.into_iter().map(|body| Manner::Says(200, body)));
    manners.extend([Manner::OtherHost, Manner::ForeignRenewal, Manner::BreaksOff, Manner::Hangs]);
    for (number, manner) in manners.into_iter().enumerate() {
        let token = format!("ofct_{number}");
        place.auth.api_token(&token, &alice, &[Scope::Invoke]);
        let shown = format!("{manner:?}").chars().take(200).collect::<String>();
        place.auth.answers(manner);
        assert_eq!(place.by_token(ALICE, "/ours", &token).await, 503, "{shown}");
    }
    let session =
        [Manner::OtherHost, Manner::OtherSession, Manner::ForeignRenewal, Manner::Says(200, yes.into_bytes())];
    for (number, manner) in session.into_iter().enumerate() {
        let old = place.auth.token(&alice, &format!("old-{number}"), ALICE, -30);
        place.auth.answers(manner.clone());
        let answer = place.with_cookie(ALICE, "/ours", &old).await;
        assert_eq!((answer.status().as_u16(), answer.headers().get("set-cookie")), (503, None), "{manner:?}");
    }
    assert!(place.gateway.reached().is_empty(), "{:?}", place.gateway.reached());
    assert_eq!(place.router.status(ALICE, "/open").await, 200, "public functions go on");
    place.auth.answers(Manner::Honest);
    place.auth.api_token("ofct_last", &alice, &[Scope::Invoke]);
    assert_eq!(place.by_token(ALICE, "/ours", "ofct_last").await, 200, "and all is well again");
}

#[tokio::test]
async fn without_of_auth_what_is_not_public_is_closed() {
    let gateway = Gateway::start().await;
    gateway.deploy_with("alice-open", "alice", 42, &[]);
    gateway.deploy_with("alice-ours", "alice", 42, &[(ACCESS, "members")]);
    let none = Router::start(config(gateway.address)).await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut config = config(gateway.address);
    config.auth_url = Some(format!("http://{free}").parse().unwrap());
    config.payload_secret = Some(SECRET.into());
    let down = Router::start(config).await;
    let token = new_key().sign(&claims(&person("alice", 42), "s", ALICE, 600)).unwrap();
    for router in [none, down] {
        let asked = |path: &str| router.get(ALICE, path).header("cookie", format!("ofc_session={token}")).send();
        assert_eq!(asked("/open").await.unwrap().status(), 200);
        assert_eq!(asked("/ours").await.unwrap().status(), 503);
        assert_eq!(router.get(ALICE, "/ours").bearer_auth("ofct_x").send().await.unwrap().status(), 503);
    }
    assert_eq!(gateway.reached().len(), 2);
}

#[tokio::test]
async fn the_dashboard_is_for_who_is_signed_in() {
    let place = place().await;
    place.settle().await;
    let host = "system.localhost";
    let page = place.router.get(host, "/dashboard/alice").header("accept", PAGE).send().await.unwrap();
    assert_eq!(
        (page.status().as_u16(), &page.headers()["location"]),
        (303, &"/.ofc/login?to=%2Fdashboard%2Falice".parse().unwrap())
    );
    let bob = place.auth.token(&person("bob", 2), "s", host, 600);
    assert_eq!(place.status(host, "/dashboard", &bob).await, 200);
    assert_eq!(place.last_caller("system-dashboard"), Some(person("bob", 2)));
    let at_alice = place.auth.token(&person("bob", 2), "s", ALICE, 600);
    assert_eq!(place.status(host, "/dashboard", &at_alice).await, 401, "an owner's host opens nothing of the platform");
    assert_eq!(place.router.post(host, "/github-event").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_badge_is_read_by_everybody_and_says_nothing_of_who_reads() {
    let place = place().await;
    place.settle().await;
    let (host, proof) = ("system.localhost", "0123456789abcdef0123456789abcdef");
    let path = format!("/badge/alice/greet/{proof}.svg");
    let token = place.auth.token(&person("alice", 42), "s", host, 600);
    let read = |method| place.router.request(method, host, &path).header("x-auth-user", "root");
    for method in [Method::GET, Method::HEAD] {
        let asked = read(method).header("cookie", format!("ofc_session={token}")).bearer_auth("ofct_unknown");
        assert_eq!(asked.send().await.unwrap().status(), 200);
        let reached = place.gateway.reached().pop().unwrap();
        assert_eq!(reached.target, format!("/function/system-dashboard/-{path}"));
        assert!(!reached.headers.keys().any(|name| name.as_str().starts_with("x-auth")), "{:?}", reached.headers);
        assert!(!reached.headers.contains_key("cookie") && !reached.headers.contains_key("authorization"));
    }
    let before = place.gateway.reached().len();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        let refused = read(method).send().await.unwrap();
        assert_eq!((refused.status().as_u16(), &refused.headers()["allow"]), (405, &"GET, HEAD".parse().unwrap()));
    }
    assert_eq!(place.gateway.reached().len(), before);
}

#[tokio::test]
async fn who_is_signed_in_may_ask_about_sealed_secrets() {
    let place = place().await;
    place.settle().await;
    let host = "system.localhost";
    place.auth.api_token("ofct_read", &person("bob", 2), &[Scope::Read]);
    place.auth.api_token("ofct_write", &person("bob", 2), &[Scope::Write]);
    place.auth.api_token("ofct_invoke", &person("bob", 2), &[Scope::Invoke]);
    let ask = async |path: &str, token: &str| {
        let request = if path == "/v1/report" { place.router.get(host, path) } else { place.router.post(host, path) };
        let request = request.header("x-auth-user", "alice").header("x-cloud-signature", "v1=forged");
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        request.send().await.unwrap().status().as_u16()
    };
    for path in ["/v1/report", "/v1/verify", "/v1/rotate"] {
        let (fits, other) =
            if path == "/v1/report" { ("ofct_read", "ofct_write") } else { ("ofct_write", "ofct_read") };
        assert_eq!(ask(path, fits).await, 200, "{path}");
        assert_eq!(place.last_caller("import-secrets"), Some(person("bob", 2)), "{path}");
        let reached = place.gateway.reached().pop().unwrap();
        assert_eq!(reached.target, format!("/function/import-secrets{path}"));
        assert!(!reached.headers.contains_key("x-cloud-signature") && !reached.headers.contains_key("authorization"));
        let before = place.gateway.reached().len();
        for (token, status) in [("", 401), ("ofct_unknown", 401), (other, 403), ("ofct_invoke", 403)] {
            assert_eq!(ask(path, token).await, status, "{path} {token}");
        }
        let wrong = if path == "/v1/report" { place.router.post(host, path) } else { place.router.get(host, path) };
        assert_eq!(wrong.bearer_auth("ofct_write").send().await.unwrap().status(), 405, "{path}");
        assert_eq!(place.gateway.reached().len(), before, "{path}");
    }
    let token = place.auth.token(&person("bob", 2), "s", host, 600);
    assert_eq!(place.status(host, "/v1/report", &token).await, 200);
    assert_eq!(place.last_caller("import-secrets"), Some(person("bob", 2)));
    let foreign = place.router.post(host, "/v1/rotate").header("origin", "http://mallory.localhost");
    let foreign = foreign.header("cookie", format!("ofc_session={token}")).send().await.unwrap();
    assert_eq!(foreign.status(), 403, "another owner's page asks nothing in a visitor's name");
}

#[tokio::test]
async fn of_auth_s_pages_are_reached_and_its_questions_are_not() {
    let place = place().await;
    let host = "Auth.System.localhost.:8000";
    let page = place
        .router
        .get(host, "/login?host=x")
        .header("cookie", "a=1; ofc_session=t")
        .header("x-forwarded-host", "evil.org");
    assert_eq!(page.bearer_auth("ofct_a").send().await.unwrap().text().await.unwrap(), "a page");
    let reached = place.auth.pages().remove(0);
    assert_eq!(reached.target, "/login?host=x");
    assert_eq!(reached.headers["x-forwarded-host"], "auth.system.localhost:8000");
    assert_eq!(reached.headers["x-forwarded-proto"], "http");
    assert_eq!(reached.headers["cookie"], "ofc_session=t");
    assert_eq!(reached.headers["authorization"], "Bearer ofct_a");
    for host in [ALICE, "system.localhost", "auth.system.localhost"] {
        assert_eq!(place.router.status(host, "/.ofc/login?to=%2F").await, 200, "{host}");
    }
    assert_eq!(place.auth.pages().len(), 4);
    let questions = place.auth.questions();
    for path in
        ["/q/", "/q", "/%71/", "/internal/notices", "/internal%2fnotices", "//q/", "/login/../q/", "/static/..%2fq/"]
    {
        let status = place.router.raw_status("auth.system.localhost", path).await;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    assert_eq!((place.auth.pages().len(), place.auth.questions()), (4, questions));
}

#[tokio::test]
async fn another_owner_s_page_cannot_use_a_session() {
    let place = place().await;
    place.settle().await;
    let token = place.auth.token(&person("alice", 42), "s", ALICE, 600);
    let post = |origin: &str| {
        let cookie = format!("ofc_session={token}");
        place.router.post(ALICE, "/ours").header("cookie", cookie).header("origin", origin).send()
    };
    assert_eq!(post("http://mallory.localhost").await.unwrap().status(), 403);
    assert!(place.gateway.reached().is_empty());
    assert_eq!(post("http://alice.localhost").await.unwrap().status(), 200);
}
