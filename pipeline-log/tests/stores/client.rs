//! Speaks to the function as another function does, without a network.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, to_bytes};
use futures_util::StreamExt as _;
use http::{HeaderMap, Method, Request, Response};
use object_store::test_servers::{ACCESS_KEY, SECRET_KEY};
use sdk::Env;
use sdk::history::PushRecord;
use sdk::pipeline_log::{LENGTH_HEADER, START_HEADER, STATE_HEADER};
use sdk::signing::Key;
use serde::Serialize;
use tower::ServiceExt as _;

/// How long a test waits for something that should come at once.
const DEADLINE: Duration = Duration::from_secs(20);
const SECRET: &str = "shared by the functions";

pub(crate) struct Client {
    app: axum::Router,
}

impl Client {
    pub(crate) fn new(vars: &[(&str, &str)]) -> Self {
        Self::with_s3_secret(vars, SECRET_KEY)
    }

    pub(crate) fn with_s3_secret(vars: &[(&str, &str)], secret: &str) -> Self {
        let secrets =
            HashMap::from([("payload-secret", SECRET), ("s3-access-key", ACCESS_KEY), ("s3-secret-key", secret)]);
        let app = pipeline_log::router(&Env::from_map(vars.iter().copied(), secrets)).unwrap();
        Self { app }
    }

    pub(crate) async fn keep(&self, part: &impl Serialize) -> (u16, String) {
        self.send("/", Some("pipeline-log"), part).await
    }

    pub(crate) async fn read(&self, request: &impl Serialize) -> (u16, String) {
        self.send("/read", Some("pipeline-log/read"), request).await
    }

    pub(crate) async fn record(&self, record: &impl Serialize) -> (u16, String) {
        self.send("/record", Some("pipeline-log/record"), record).await
    }

    /// The records that are asked for.
    pub(crate) async fn history(&self, request: &impl Serialize) -> Vec<PushRecord> {
        let (status, text) = self.send("/history", Some("pipeline-log/history"), request).await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// A part of a log, and what the headers say: its state, its length and where the part begins.
    pub(crate) async fn range(&self, request: &impl Serialize) -> (String, String, u64, u64) {
        let mut reading = self.open("/read", request).await;
        let (state, length, start) = reading.place();
        (reading.rest().await, state, length, start)
    }

    /// A log as it is read, piece by piece.
    pub(crate) async fn read_on(&self, request: &impl Serialize) -> Reading {
        self.open("/read", request).await
    }

    pub(crate) async fn follow(&self, request: &impl Serialize) -> Reading {
        self.open("/follow", request).await
    }

    async fn open(&self, path: &str, request: &impl Serialize) -> Reading {
        let purpose = format!("pipeline-log{path}");
        let response = self.response(path, Some(&purpose), request).await;
        assert_eq!(response.status().as_u16(), 200);
        Reading { headers: response.headers().clone(), body: response.into_body().into_data_stream() }
    }

    /// Sends a message, signed for `purpose` if there is one.
    pub(crate) async fn send(&self, path: &str, purpose: Option<&str>, message: &impl Serialize) -> (u16, String) {
        let response = self.response(path, purpose, message).await;
        let status = response.status().as_u16();
        let text = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(text.to_vec()).unwrap())
    }

    pub(crate) async fn response(&self, path: &str, purpose: Option<&str>, message: &impl Serialize) -> Response<Body> {
        let body = serde_json::to_vec(message).unwrap();
        let mut request = Request::post(path);
        if let Some(purpose) = purpose {
            let key = Key::derive(&SECRET.into(), purpose);
            for (name, value) in key.sign(&Method::POST, &body, Duration::from_secs(60)) {
                request = request.header(name, value);
            }
        }
        self.app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
    }
}

/// An answer that comes piece by piece.
pub(crate) struct Reading {
    headers: HeaderMap,
    body: BodyDataStream,
}

impl Reading {
    /// The log's state and length, and where the answer begins.
    pub(crate) fn place(&self) -> (String, u64, u64) {
        let header = |name: &str| self.headers[name].to_str().unwrap();
        let number = |name| header(name).parse().unwrap();
        (header(STATE_HEADER).to_owned(), number(LENGTH_HEADER), number(START_HEADER))
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let next = tokio::time::timeout(DEADLINE, self.body.next()).await.expect("nothing more comes");
        next.map(|piece| String::from_utf8(piece.unwrap().to_vec()).unwrap())
    }

    /// Whether it ends before it is whole.
    pub(crate) async fn breaks_off(&mut self) -> bool {
        while let Some(piece) = self.body.next().await {
            if piece.is_err() {
                return true;
            }
        }
        false
    }

    /// Reads until this is all that was read.
    pub(crate) async fn expect(&mut self, text: &str) {
        let mut read = String::new();
        while read != text {
            assert!(text.starts_with(&read), "{read:?} is not {text:?}");
            read.push_str(&self.next().await.unwrap_or_else(|| panic!("it ends after {read:?}")));
        }
    }

    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = String::new();
        while let Some(piece) = self.next().await {
            rest.push_str(&piece);
        }
        rest
    }
}
