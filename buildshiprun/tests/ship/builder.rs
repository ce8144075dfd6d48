//! A builder that keeps what it is sent and answers as it was told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use sdk::signing::sha256_header_is_right;

pub(crate) const SECRET: &str = "builder-secret-of-tests";

#[derive(Clone, Default)]
pub(crate) struct FakeBuilder {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    archives: Vec<Vec<u8>>,
    answers: VecDeque<Option<(StatusCode, String)>>,
}

impl FakeBuilder {
    #[expect(clippy::unwrap_used, reason = "test helper")]
    pub(crate) async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let routes = Router::new().route("/build", post(build)).layer(DefaultBodyLimit::disable());
        let routes = routes.with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }

    /// Answers the next build so; without this, builds succeed.
    pub(crate) fn answer_next(&self, status: StatusCode, body: &str) {
        self.kept().answers.push_back(Some((status, body.to_owned())));
    }

    /// Takes the next build and says nothing about it any more.
    pub(crate) fn never_answer_next(&self) {
        self.kept().answers.push_back(None);
    }

    /// The archives that were built.
    pub(crate) fn archives(&self) -> Vec<Vec<u8>> {
        self.kept().archives.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn build(State(builder): State<FakeBuilder>, headers: HeaderMap, body: Bytes) -> Response {
    let signature = headers.get("x-build-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !sha256_header_is_right(&SECRET.into(), signature, &body) {
        return (StatusCode::FORBIDDEN, r#"{"status":"failed","error":"wrong signature"}"#).into_response();
    }
    if headers.get("accept").is_none_or(|kind| kind != "application/x-ndjson") {
        return StatusCode::NOT_ACCEPTABLE.into_response();
    }
    let answer = {
        let mut kept = builder.kept();
        kept.archives.push(body.to_vec());
        kept.answers.pop_front()
    };
    match answer {
        Some(Some(answer)) => answer.into_response(),
        Some(None) => std::future::pending().await,
        None => success("alice/hello-greet").into_response(),
    }
}

/// A build that ends well, with two lines of log.
pub(crate) fn success(name: &str) -> String {
    let digest = "a".repeat(64);
    format!(
        "{}\n{}\n{}\n",
        r#"{"log":["[1/2] FROM debian"],"image":"","status":"in_progress"}"#,
        r#"{"log":["[2/2] COPY . ."],"image":"","status":"in_progress"}"#,
        format_args!(r#"{{"log":[],"image":"{name}@sha256:{digest}","status":"success"}}"#),
    )
}
