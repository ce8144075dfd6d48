//! Speaks to the function as another function does, without a network.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::{Method, Request};
use object_store::test_servers::{ACCESS_KEY, SECRET_KEY};
use sdk::Env;
use sdk::signing::Key;
use serde::Serialize;
use tower::ServiceExt as _;

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

    /// Sends a message, signed for `purpose` if there is one.
    pub(crate) async fn send(&self, path: &str, purpose: Option<&str>, message: &impl Serialize) -> (u16, String) {
        let body = serde_json::to_vec(message).unwrap();
        let mut request = Request::post(path);
        if let Some(purpose) = purpose {
            let key = Key::derive(&SECRET.into(), purpose);
            for (name, value) in key.sign(&Method::POST, &body, Duration::from_secs(60)) {
                request = request.header(name, value);
            }
        }
        let response = self.app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let text = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(text.to_vec()).unwrap())
    }
}
