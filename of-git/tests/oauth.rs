//! The git host as the provider that the platform signs people in with.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, header};
use of_git::{Client, Role};
use serde_json::Value;
use sha2::{Digest, Sha256};
use support::browser::{Browser, Got};
use support::{Host, PLATFORM_TOKEN, config};
use url::form_urlencoded::Serializer;

const CALLBACK: &str = "http://auth.system.localhost:8000/oauth2/authorized";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-1";

struct Place {
    _data: tempfile::TempDir,
    host: Host,
    browser: Browser,
}

async fn place() -> Place {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(data.path(), "127.0.0.1:9".parse().unwrap());
    let secret = "client-secret".into();
    config.client = Some(Client { id: "ofc".into(), secret, redirect_uri: CALLBACK.into() });
    let host = Host::start(config).await;
    let mut browser = Browser::new(&host);
    browser.sign_in(&host, "alice").await;
    Place { _data: data, host, browser }
}

/// What the platform asks, with some of it changed; an empty value leaves a parameter out.
fn authorize(changes: &[(&str, &str)]) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut all = vec![
        ("response_type", "code"),
        ("client_id", "ofc"),
        ("redirect_uri", CALLBACK),
        ("state", "s%&=+ ü"),
        ("scope", "read:user read:org"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    all.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    all.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    format!("/login/oauth/authorize?{}", Serializer::new(String::new()).extend_pairs(all).finish())
}

impl Place {
    async fn code(&mut self) -> String {
        let got = self.browser.get(&authorize(&[])).await;
        assert_eq!(got.status, StatusCode::FOUND, "{got:?}");
        got.parameter("code").unwrap()
    }

    fn fields<'a>(code: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut all = vec![
            ("grant_type", "authorization_code"),
            ("client_id", "ofc"),
            ("client_secret", "client-secret"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        all.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        all.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        all
    }

    fn post(&self) -> reqwest::RequestBuilder {
        sdk::http::client().post(format!("http://{}/login/oauth/access_token", self.host.address))
    }

    async fn exchange(&self, code: &str, changes: &[(&str, &str)]) -> Value {
        let request = self.post().form(&Self::fields(code, changes)).header(header::ACCEPT, "application/json");
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status(), &response.headers()["cache-control"]),
            (StatusCode::OK, &"no-store".parse().unwrap())
        );
        response.json().await.unwrap()
    }

    async fn token(&mut self) -> String {
        let code = self.code().await;
        self.exchange(&code, &[]).await["access_token"].as_str().unwrap().to_owned()
    }

    async fn api(&self, path: &str, authorization: Option<&str>) -> (StatusCode, Value, Option<String>) {
        let mut request = sdk::http::client().get(format!("http://{}/api/v3{path}", self.host.address));
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        let response = request.send().await.unwrap();
        let links = response.headers().get(header::LINK).map(|links| links.to_str().unwrap().to_owned());
        (response.status(), response.json().await.unwrap(), links)
    }
}

/// Asserts that a value has the fields of GitHub's published description, with its types.
fn like_github(value: &Value, fields: &str) {
    for line in fields.lines() {
        let (path, kinds) = line.split_once(' ').unwrap();
        let found = path.split('.').try_fold(value, |value, name| value.get(name));
        let kind = match found.unwrap_or_else(|| panic!("{path} is not there: {value}")) {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        assert!(kinds.split('|').any(|allowed| allowed == kind), "{path} is {kind} and not {kinds}");
    }
}

fn error(answer: &Value) -> &str {
    assert!(answer.get("access_token").is_none() && answer["error_description"].is_string(), "{answer}");
    answer["error"].as_str().unwrap()
}

#[tokio::test]
async fn a_login_brings_the_identity_in_github_s_form() {
    let mut place = place().await;
    let organisations = of_git::Organisations::at(&place.host.config.data);
    organisations.set(&"acme".parse().unwrap(), &"alice".parse().unwrap(), Some(Role::Admin)).unwrap();
    organisations.set(&"beta".parse().unwrap(), &"alice".parse().unwrap(), Some(Role::Member)).unwrap();
    organisations.set(&"gamma".parse().unwrap(), &"bob".parse().unwrap(), Some(Role::Admin)).unwrap();
    let got = place.browser.get(&authorize(&[])).await;
    assert!(got.location().starts_with(&format!("{CALLBACK}?code=")), "{got:?}");
    assert_eq!(got.parameter("state").unwrap(), "s%&=+ ü", "it comes back as it was");
    let answer = place.exchange(&got.parameter("code").unwrap(), &[]).await;
    assert_eq!(
        (&answer["token_type"], &answer["scope"], &answer["expires_in"]),
        (&"bearer".into(), &"read:user,read:org".into(), &300.into())
    );
    let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());

    let (status, user, _) = place.api("/user", Some(&bearer)).await;
    assert_eq!((status, &user["login"], &user["id"]), (StatusCode::OK, &"alice".into(), &1.into()));
    like_github(&user, include_str!("github_user_fields.txt"));
    let (_, all, _) = place.api("/user/memberships/orgs?state=active", Some(&bearer)).await;
    let all = all.as_array().unwrap();
    let shown: Vec<_> =
        all.iter().map(|one| (one["organization"]["login"].as_str().unwrap(), one["role"].as_str().unwrap())).collect();
    assert_eq!(shown, [("acme", "admin"), ("beta", "member")]);
    like_github(&all[0], include_str!("github_membership_fields.txt"));
    assert_ne!(all[0]["organization"]["id"], all[1]["organization"]["id"]);
    let (_, first, links) = place.api("/user/memberships/orgs?per_page=1", Some(&bearer)).await;
    assert_eq!(first.as_array().unwrap().len(), 1);
    assert!(links.unwrap().contains("/api/v3/user/memberships/orgs?per_page=1&page=2>; rel=\"next\""));
    assert_eq!(place.api("/user/memberships/orgs?state=pending", Some(&bearer)).await.1, serde_json::json!([]));
    let (_, plain, _) = place.api("/user/orgs", Some(&bearer)).await;
    like_github(&plain[1], include_str!("github_organisation_fields.txt"));
    std::fs::write(place.host.config.data.join("organisations"), "acme alice king\n").unwrap();
    assert_eq!(place.api("/user/orgs", Some(&bearer)).await.0, StatusCode::INTERNAL_SERVER_ERROR, "no guess");
    place.host.stop().await;
}

#[tokio::test]
async fn a_code_is_good_once_and_its_second_use_takes_the_token_back() {
    let mut place = place().await;
    let code = place.code().await;
    let token = place.exchange(&code, &[]).await["access_token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    assert_eq!(place.api("/user", Some(&bearer)).await.0, StatusCode::OK);
    assert_eq!(error(&place.exchange(&code, &[]).await), "bad_verification_code");
    assert_eq!(place.api("/user", Some(&bearer)).await.0, StatusCode::UNAUTHORIZED);
    place.host.stop().await;
}

#[tokio::test]
async fn of_many_exchanges_at_once_one_at_most_wins() {
    let mut place = place().await;
    let code = place.code().await;
    let answers = futures_util::future::join_all((0..8).map(|_| place.exchange(&code, &[]))).await;
    assert_eq!(answers.iter().filter(|answer| answer.get("access_token").is_some()).count(), 1);
    place.host.stop().await;
}

#[tokio::test]
async fn a_code_is_for_its_client_address_and_verifier() {
    let mut place = place().await;
    let wrong = [
        (("code_verifier", "another-verifier-of-forty-three-characters-1"), "bad_verification_code"),
        (("code_verifier", ""), "bad_verification_code"),
        (("redirect_uri", "http://evil.com/"), "redirect_uri_mismatch"),
        (("redirect_uri", ""), "redirect_uri_mismatch"),
        (("code", "guessed"), "bad_verification_code"),
        (("code", ""), "bad_verification_code"),
    ];
    for (change, expected) in wrong {
        let code = place.code().await;
        assert_eq!(error(&place.exchange(&code, &[change]).await), expected, "{change:?}");
        if change.0 != "code" {
            assert_eq!(error(&place.exchange(&code, &[]).await), "bad_verification_code", "one guess uses it up");
        }
    }
    let code = place.code().await;
    for change in [("client_id", "other"), ("client_secret", "wrong"), ("client_secret", ""), ("client_id", "")] {
        assert_eq!(error(&place.exchange(&code, &[change]).await), "incorrect_client_credentials");
    }
    assert_eq!(error(&place.exchange(&code, &[("grant_type", "password")]).await), "unsupported_grant_type");
    assert!(place.exchange(&code, &[]).await["access_token"].is_string(), "nobody else could use it up");
    place.host.stop().await;
}

#[tokio::test]
async fn forms_and_json_are_taken_and_answered_as_at_github() {
    let mut place = place().await;
    let code = place.code().await;
    let text = place.post().form(&Place::fields(&code, &[])).send().await.unwrap().text().await.unwrap();
    assert!(
        text.starts_with("access_token=ofu_") && text.contains("&token_type=bearer&scope=read%3Auser%2Cread%3Aorg"),
        "{text}"
    );
    let code = place.code().await;
    let body: serde_json::Map<_, _> =
        Place::fields(&code, &[]).into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let answer: Value =
        place.post().json(&body).header(header::ACCEPT, "application/json").send().await.unwrap().json().await.unwrap();
    assert!(answer["access_token"].is_string(), "{answer}");
    let odd = [
        (place.post().body("code=x"), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (place.post().header("content-type", "application/json").body("[]"), StatusCode::BAD_REQUEST),
        (place.post().form(&[("code", "a"), ("code", "b")]), StatusCode::BAD_REQUEST),
        (place.post().form(&[("code", "a".repeat(20_000))]), StatusCode::PAYLOAD_TOO_LARGE),
    ];
    for (request, status) in odd {
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    place.host.stop().await;
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_the_client_s() {
    let mut place = place().await;
    let addresses = [
        "",
        "http://evil.com/oauth2/authorized",
        "http://auth.system.localhost:8000/oauth2/authorized/",
        "http://auth.system.localhost:8000/oauth2/authorized/../../x",
        "http://auth.system.localhost:8000/oauth2/authorized?x=1",
        "http://auth.system.localhost:8000/oauth2/authorized#x",
        "http://auth.system.localhost/oauth2/authorized",
        "https://auth.system.localhost:8000/oauth2/authorized",
        "http://auth.system.localhost:8000@evil.com/oauth2/authorized",
        "http://auth.system.localhost:8000.evil.com/oauth2/authorized",
        "HTTP://AUTH.SYSTEM.LOCALHOST:8000/oauth2/authorized",
        "//evil.com",
        "/\\evil.com",
        "javascript:alert(1)",
        "data:text/html,x",
        " http://auth.system.localhost:8000/oauth2/authorized",
        "http://auth.system.localhost:8000/oauth2/authorized\n",
    ];
    let stays = |got: Got, what: &str| {
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{what}: {got:?}");
        assert!(!got.headers.contains_key(header::LOCATION) && !got.text.contains("evil"), "{what}: {got:?}");
    };
    for address in addresses {
        stays(place.browser.get(&authorize(&[("redirect_uri", address)])).await, address);
    }
    for client in ["", "other", "OFC"] {
        stays(place.browser.get(&authorize(&[("client_id", client)])).await, client);
    }
    let twice = format!("{}&redirect_uri=http%3A%2F%2Fevil.com", authorize(&[]));
    stays(place.browser.get(&twice).await, "twice");
    stays(place.browser.get("/login/oauth/authorize").await, "nothing");
    place.host.stop().await;
}

#[tokio::test]
async fn what_is_missing_is_told_to_the_client_with_its_state() {
    let mut place = place().await;
    let long = "s".repeat(3000);
    let wrong = [
        (("response_type", "token"), "unsupported_response_type"),
        (("state", ""), "invalid_request"),
        (("state", long.as_str()), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("scope", long.as_str()), "invalid_scope"),
    ];
    for (change, expected) in wrong {
        let got = place.browser.get(&authorize(&[change])).await;
        assert!(got.location().starts_with(CALLBACK), "{got:?}");
        assert_eq!(got.parameter("error").unwrap(), expected, "{change:?}");
        assert_eq!(got.parameter("code"), None);
        let state = (change.0 != "state").then(|| "s%&=+ ü".to_owned());
        assert_eq!(got.parameter("state"), state);
    }
    assert!(place.browser.get(&authorize(&[("response_type", "")])).await.parameter("code").is_some());
    place.host.stop().await;
}

#[tokio::test]
async fn who_signs_in_on_the_way_comes_back_to_what_was_asked() {
    let place = place().await;
    let mut browser = Browser::new(&place.host);
    let asked = authorize(&[("prompt", "select_account")]);
    let got = browser.get(&asked).await;
    assert_eq!((got.status, got.location()), (StatusCode::SEE_OTHER, "/login"));
    browser.sign_in(&place.host, "bob").await;
    let page = browser.get("/login/continue").await;
    let next = page.text.split("content=\"0; url=").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    let got = browser.get(&next).await;
    assert!(got.parameter("code").is_some() && got.parameter("state").unwrap() == "s%&=+ ü", "{got:?}");
    assert_eq!(browser.get("/login/continue").await.location(), "/login", "only once");

    let page = browser.get(&asked).await;
    assert!(page.text.contains("Continue as bob") && page.text.contains("Sign out"), "{page:?}");
    // A query that does not fit into a cookie is not kept, and nothing breaks.
    let mut other = Browser::new(&place.host);
    let long = "s".repeat(2000);
    assert_eq!(other.get(&authorize(&[("state", &long), ("scope", &long)])).await.location(), "/login");
    assert!(other.cookies.is_empty());
    place.host.stop().await;
}

#[tokio::test]
async fn a_person_s_token_opens_two_questions_and_nothing_else() {
    let mut place = place().await;
    let token = place.token().await;
    for scheme in ["Bearer", "token", "bearer"] {
        assert_eq!(place.api("/user", Some(&format!("{scheme} {token}"))).await.0, StatusCode::OK);
    }
    let bearer = format!("Bearer {token}");
    let platform = format!("Bearer {PLATFORM_TOKEN}");
    let wrong = [
        (None, StatusCode::UNAUTHORIZED),
        (Some("Bearer "), StatusCode::UNAUTHORIZED),
        (Some("Bearer ofu_x"), StatusCode::UNAUTHORIZED),
        (Some(platform.as_str()), StatusCode::FORBIDDEN),
    ];
    for (authorization, status) in wrong {
        for path in ["/user", "/user/orgs", "/user/memberships/orgs"] {
            let (found, body, _) = place.api(path, authorization).await;
            assert_eq!(found, status, "{authorization:?}");
            assert!(body["message"].is_string());
        }
    }
    let sha = "a".repeat(40);
    assert_eq!(
        place.api(&format!("/repos/alice/x/commits/{sha}/check-runs"), Some(&bearer)).await.0,
        StatusCode::UNAUTHORIZED
    );
    let git = format!("http://{}/alice/x.git/info/refs?service=git-receive-pack", place.host.address);
    for user in ["alice", "x-access-token"] {
        let response = sdk::http::client().get(&git).basic_auth(user, Some(&token)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{user}");
    }
    let config = place.host.config.clone();
    place.host.stop().await;
    let host = Host::start(config).await;
    let again = Place { host, ..self::place().await };
    assert_eq!(again.api("/user", Some(&bearer)).await.0, StatusCode::UNAUTHORIZED, "a restart takes it back");
    again.host.stop().await;
}

#[tokio::test]
async fn without_a_client_nobody_is_signed_in_to_the_platform() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(config(data.path(), "127.0.0.1:9".parse().unwrap())).await;
    let mut browser = Browser::new(&host);
    browser.sign_in(&host, "alice").await;
    assert_eq!(browser.get(&authorize(&[])).await.status, StatusCode::NOT_FOUND);
    let request = sdk::http::client().post(format!("http://{}/login/oauth/access_token", host.address));
    assert_eq!(request.form(&[("code", "x")]).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    host.stop().await;
}
