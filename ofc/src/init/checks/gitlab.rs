//! Whether GitLab takes the token, and for how long and for what it counts.

use http::StatusCode;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{MAX_ANSWER, PATIENCE};
use crate::config_file::Gitlab;
use crate::doctor::Finding;
use crate::secrets::{GITLAB_TOKEN, Secrets};

const WHAT: &str = "GitLab token";
/// The scope without which statuses cannot be written.
const SCOPE: &str = "api";
const MAKE: &str = "make a token with the scope api (docs/gitlab.md, step 2) and put it into the file";

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    expires_at: Option<String>,
}

/// Asks GitLab about the token by which it is asked.
pub(super) async fn examine(gitlab: &Gitlab, secrets: &Secrets) -> Finding {
    let Ok(token) = secrets.get(GITLAB_TOKEN) else {
        return Finding::fail(WHAT, format!("{} is not there", secrets.path(GITLAB_TOKEN).display()), MAKE);
    };
    let url = format!("{}/api/v4/personal_access_tokens/self", gitlab.url.as_str().trim_end_matches('/'));
    let request = sdk::http::client().get(url).timeout(PATIENCE).header("private-token", token.expose_secret());
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => {
            let sentence = format!("{} cannot be reached: {}", gitlab.url, error.without_url());
            return Finding::fail(WHAT, sentence, "see whether source.url is right and can be reached from here");
        }
    };
    match response.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => return Finding::fail(WHAT, format!("{} does not take it", gitlab.url), MAKE),
        status => {
            let sentence = format!("{} answers {status} to the question what it may do", gitlab.url);
            return Finding::warn(WHAT, sentence, "see whether source.url is the address of a GitLab");
        }
    }
    let text = sdk::call::bounded_text(response, MAX_ANSWER).await;
    match serde_json::from_str(&text) {
        Ok(token) => verdict(&token),
        Err(_) => {
            Finding::fail(WHAT, format!("{} answers something that is no token's", gitlab.url), "is it a GitLab?")
        }
    }
}

fn verdict(token: &Token) -> Finding {
    if !token.active {
        return Finding::fail(WHAT, "it is revoked or expired", MAKE);
    }
    if !token.scopes.iter().any(|scope| scope == SCOPE) {
        return Finding::fail(WHAT, format!("it may do {} only", token.scopes.join(", ")), MAKE);
    }
    match &token.expires_at {
        Some(end) => Finding::ok(WHAT, format!("it is taken, until {}", end.chars().take(10).collect::<String>())),
        None => Finding::ok(WHAT, "it is taken"),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use http::HeaderMap;

    use super::*;

    async fn said(answer: &'static str, token: Option<&str>) -> String {
        let taken = move |headers: HeaderMap| async move {
            match headers.get("private-token").map(http::HeaderValue::as_bytes) {
                Some(b"glpat-good") => (StatusCode::OK, answer),
                _ => (StatusCode::UNAUTHORIZED, "{}"),
            }
        };
        let routes = Router::new().route("/gitlab/api/v4/personal_access_tokens/self", get(taken));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/gitlab", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let folder = tempfile::tempdir().unwrap();
        if let Some(token) = token {
            std::fs::write(folder.path().join(GITLAB_TOKEN), token).unwrap();
        }
        let gitlab = Gitlab { url, topic: None };
        let finding = examine(&gitlab, &Secrets::existing(folder.path().to_owned())).await;
        let text = anstream::adapter::strip_str(&crate::doctor::lines(&[finding])).to_string();
        assert!(!text.contains("glpat"), "{text}");
        text
    }

    #[tokio::test]
    async fn a_token_has_to_count_and_to_be_enough() {
        let good = r#"{"scopes": ["api"], "active": true, "expires_at": "2027-01-31"}"#;
        assert!(said(good, Some("glpat-good\n")).await.contains("until 2027-01-31"));
        assert!(said(r#"{"scopes": ["api"], "active": true}"#, Some("glpat-good")).await.starts_with("ok"));
        for (answer, expected) in [
            (r#"{"scopes": ["read_api"], "active": true}"#, "may do read_api only"),
            (r#"{"scopes": ["api"], "active": false}"#, "revoked or expired"),
            ("<html>", "no token's"),
        ] {
            let text = said(answer, Some("glpat-good")).await;
            assert!(text.starts_with("FAIL") && text.contains(expected), "{text}");
        }
        assert!(said(good, Some("glpat-other")).await.contains("does not take it"));
        assert!(said(good, None).await.contains("is not there"));
    }
}
