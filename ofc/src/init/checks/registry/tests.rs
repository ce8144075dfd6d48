use std::path::PathBuf;

use axum::Router;
use axum::extract::Query;
use axum::response::IntoResponse;
use axum::routing::get;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::*;

/// base64 of `robot:p:ss`, the one login that the registry of the tests takes.
const GOOD: &str = "cm9ib3Q6cDpzcw==";

#[derive(Deserialize)]
struct Asked {
    service: String,
    scope: String,
}

/// A registry that asks for this login, and an authority for its tokens.
async fn registry(challenge: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let says = challenge.replace("HOST", &host);
    let has = |headers: &HeaderMap, wanted: &str| headers.get(AUTHORIZATION).is_some_and(|given| given == wanted);
    let v2 = move |headers: HeaderMap| {
        let good = says.is_empty()
            || has(&headers, &format!("Basic {GOOD}")) && says == "Basic realm=\"r\""
            || has(&headers, "Bearer t0ken");
        let answer = if good { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        let says = says.clone();
        async move { (answer, [(WWW_AUTHENTICATE, says)]) }
    };
    let token = move |Query(asked): Query<Asked>, headers: HeaderMap| async move {
        let wanted = asked.service == "reg" && asked.scope == "repository:acme/ofc-init:pull,push";
        if wanted && has(&headers, &format!("Basic {GOOD}")) {
            "{\"token\": \"t0ken\"}".into_response()
        } else {
            StatusCode::UNAUTHORIZED.into_response()
        }
    };
    let routes = Router::new().route("/v2/", get(v2)).route("/token", get(token));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    host
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

async fn login_with(host: &str, auth: &str) -> Result<String, LoginError> {
    let (_folder, path) = file(&format!("{{\"auths\": {{\"http://{host}/v2/\": {{\"auth\": \"{auth}\"}}}}}}"));
    login(&format!("{host}/acme/"), Some(&path)).await
}

#[tokio::test]
async fn both_ways_of_logging_in_are_known() {
    for challenge in ["Basic realm=\"r\"", "Bearer realm=\"http://HOST/token\",service=\"reg\""] {
        let host = registry(challenge).await;
        assert_eq!(login_with(&host, GOOD).await.unwrap(), format!("{host} lets robot in"));
        let other = STANDARD.encode("robot:hunter2");
        let error = login_with(&host, &other).await.unwrap_err();
        let text = format!("{error} {}", error.advice(&host));
        assert!(text.contains("does not take the credentials") && text.contains("docker login"), "{text}");
        assert!(!text.contains("hunter2") && !text.contains(&other));
    }
    let open = registry("").await;
    assert!(login(&open, None).await.unwrap().contains("no login"));
}

#[tokio::test]
async fn the_password_does_not_travel_to_whoever_the_registry_names() {
    for realm in ["http://example.com/token", "https://user:x@example.com/token", "nowhere", ""] {
        let challenge: &'static str = Box::leak(format!("Bearer realm=\"{realm}\",service=\"reg\"").into_boxed_str());
        let host = registry(challenge).await;
        assert!(matches!(login_with(&host, GOOD).await, Err(LoginError::Challenge(_))), "{realm}");
    }
    let host = registry("Negotiate").await;
    assert!(matches!(login_with(&host, GOOD).await, Err(LoginError::Challenge(_))));
}

#[tokio::test]
async fn what_the_file_lacks_is_said() {
    let host = registry("Basic realm=\"r\"").await;
    let cases = [
        ("{\"auths\": {}}".to_owned(), "has no credentials"),
        ("{\"credsStore\": \"desktop\"}".to_owned(), "leaves the credentials"),
        (format!("{{\"auths\": {{\"{host}\": {{\"auth\": \"%%\"}}}}}}"), "is no docker config"),
        ("hunter2".to_owned(), "is no docker config"),
    ];
    for (text, expected) in cases {
        let (_folder, path) = file(&text);
        let error = login(&host, Some(&path)).await.unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    }
    let error = login(&host, Some(Path::new("/nonexistent/config.json"))).await.unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    let error = login("127.0.0.1:1", None).await.unwrap_err();
    assert!(matches!(error, LoginError::Unreachable(..)) && error.advice("x").contains("registry.prefix"));
    assert_eq!(base("docker.io"), "https://registry-1.docker.io");
}
