//! Speaks to the function as others do, without a network.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Method, Request};
use object_store::test_servers::{ACCESS_KEY, SECRET_KEY};
use sdk::Env;
use sdk::audit::{AuditAnswer, AuditEvent, AuditRequest};
use sdk::fake_gateway::PAYLOAD_SECRET;
use sdk::id::OwnerId;
use sdk::signing::Key;
use serde::Serialize;
use tower::ServiceExt as _;

#[derive(Clone)]
pub(crate) struct Client {
    router: Router,
    secret: String,
}

pub(crate) fn owner(id: u64) -> OwnerId {
    OwnerId { host: "github.com".to_owned(), id }
}

/// An event at the owner's with this number; the login is always the same.
pub(crate) fn event(id: u64, at: u64) -> AuditEvent {
    AuditEvent {
        source: "git-tar".to_owned(),
        message: format!("event {at}"),
        owner: "alice".to_owned(),
        owner_id: Some(owner(id)),
        repo: "shop".to_owned(),
        call_id: "call-1".to_owned(),
        at: Some(at),
        ..AuditEvent::default()
    }
}

pub(crate) fn request(id: u64) -> AuditRequest {
    AuditRequest { owner_id: owner(id), repo: None, before: None, limit: None }
}

impl Client {
    pub(crate) fn new(vars: &[(&str, &str)]) -> Self {
        let secrets =
            [("payload-secret", PAYLOAD_SECRET), ("s3-access-key", ACCESS_KEY), ("s3-secret-key", SECRET_KEY)];
        Self::of(&Env::from_map(vars.iter().copied(), secrets), PAYLOAD_SECRET)
    }

    /// In an environment with this `payload-secret`.
    pub(crate) fn of(env: &Env, secret: &str) -> Self {
        Self { router: audit_event::router(env).unwrap(), secret: secret.to_owned() }
    }

    pub(crate) async fn report(&self, event: &AuditEvent) -> u16 {
        self.send("/", Some("audit-event"), event).await.0
    }

    pub(crate) async fn keep(&self, event: &AuditEvent) {
        assert_eq!(self.report(event).await, 200);
    }

    pub(crate) async fn ask(&self, request: &AuditRequest) -> (u16, String) {
        self.send("/read", Some("audit-event/read"), request).await
    }

    pub(crate) async fn read(&self, request: &AuditRequest) -> AuditAnswer {
        let (status, text) = self.ask(request).await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// All pages, with so many events each.
    pub(crate) async fn all(&self, id: u64, limit: usize) -> Vec<AuditEvent> {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let page = self.read(&AuditRequest { before, limit: Some(limit), ..request(id) }).await;
            assert!(page.events.len() <= limit);
            all.extend(page.events);
            before = page.older;
            if before.is_none() {
                return all;
            }
        }
    }

    /// Sends a message, signed for `purpose` if there is one.
    pub(crate) async fn send(&self, path: &str, purpose: Option<&str>, message: &impl Serialize) -> (u16, String) {
        let body = serde_json::to_vec(message).unwrap();
        let mut request = Request::post(path);
        if let Some(purpose) = purpose {
            let key = Key::derive(&self.secret.as_str().into(), purpose);
            for (name, value) in key.sign(&Method::POST, &body, Duration::from_secs(60)) {
                request = request.header(name, value);
            }
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let text = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(text.to_vec()).unwrap())
    }
}
