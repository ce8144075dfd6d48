//! The local page from which a browser asks GitHub for the App, and to which it comes back with a code.
//!
//! Any page that the browser has open could send it here, so the first address and the way back have 256 random bits each,
//! and the port answers to this machine's own names alone.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

/// Longer codes are none of GitHub's.
const MAX_CODE: usize = 100;

/// How it ended at GitHub.
#[derive(Debug)]
pub(crate) enum Came {
    /// With a code for the App's secrets.
    Code(SecretString),
    /// Somebody said no.
    Denied,
}

/// What the page needs to know.
pub(crate) struct Page {
    /// Where it is served.
    pub(crate) address: SocketAddr,
    /// The page of GitHub's that the form goes to.
    pub(crate) target: String,
    /// What is asked for.
    pub(crate) manifest: Value,
    /// Part of the page's own address.
    pub(crate) ticket: SecretString,
    /// Comes back with the code.
    pub(crate) state: SecretString,
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page").field("address", &self.address).field("target", &self.target).finish_non_exhaustive()
    }
}

struct Shared {
    page: Page,
    waiting: Mutex<Option<oneshot::Sender<Came>>>,
}

#[derive(Deserialize)]
struct Back {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    error: String,
}

impl Page {
    /// Where a person begins.
    pub(crate) fn start(&self) -> String {
        format!("http://{}/{}", self.address, self.ticket.expose_secret())
    }

    /// Where GitHub sends the browser back to.
    pub(crate) fn back(address: SocketAddr) -> String {
        format!("http://{address}/back")
    }

    /// The page's routes. `came` hears of the end, once.
    pub(crate) fn routes(self, came: oneshot::Sender<Came>) -> Router {
        let start = format!("/{}", self.ticket.expose_secret());
        let shared = Arc::new(Shared { page: self, waiting: Mutex::new(Some(came)) });
        Router::new()
            .route(&start, get(show))
            .route("/back", get(back))
            .layer(from_fn_with_state(Arc::clone(&shared), only_this_machine))
            .with_state(shared)
    }
}

/// A name that somebody else's DNS leads here is not ours.
async fn only_this_machine(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let port = shared.page.address.port();
    let ours = [shared.page.address.to_string(), format!("localhost:{port}")];
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !ours.iter().any(|own| own.eq_ignore_ascii_case(host)) {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, header::HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, header::HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}

async fn show(State(shared): State<Arc<Shared>>) -> Response {
    let page = &shared.page;
    let origin = page.target.parse::<url::Url>().map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let policy = format!("default-src 'none'; style-src 'unsafe-inline'; form-action {origin} http://{}", page.address);
    let text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>A GitHub App for OpenFaaS Cloud</title>{STYLE}\
         <h1>A GitHub App for OpenFaaS Cloud</h1>\
         <p>GitHub shows what is asked for, and you decide.</p>\
         <form method=\"post\" action=\"{}?state={}\"><input type=\"hidden\" name=\"manifest\" value=\"{}\">\
         <button>Go to GitHub</button></form></html>",
        escaped(&page.target),
        escaped(page.state.expose_secret()),
        escaped(&page.manifest.to_string()),
    );
    let mut headers = HeaderMap::new();
    if let Ok(policy) = policy.parse() {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    (headers, Html(text)).into_response()
}

async fn back(State(shared): State<Arc<Shared>>, Query(query): Query<Back>) -> Response {
    // Compared as digests: how long it takes says nothing about the state.
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    if digest(&query.state) != digest(shared.page.state.expose_secret()) {
        return told(StatusCode::FORBIDDEN, "This is not the answer to what was asked here. Begin again.");
    }
    let code = &query.code;
    let plain = code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let usable = !code.is_empty() && code.len() <= MAX_CODE && plain;
    if !usable && query.error.is_empty() {
        return told(StatusCode::BAD_REQUEST, "GitHub sent no code. Begin again.");
    }
    let waiting = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(waiting) = waiting else {
        return told(StatusCode::GONE, "This was answered before. Look at the terminal.");
    };
    if !query.error.is_empty() {
        let _ = waiting.send(Came::Denied);
        return told(StatusCode::OK, "No App was made. You can close this window.");
    }
    let _ = waiting.send(Came::Code(code.clone().into()));
    told(StatusCode::OK, "The App is being set up. Go back to the terminal; you can close this window.")
}

fn told(status: StatusCode, sentence: &str) -> Response {
    let text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>OpenFaaS Cloud</title>{STYLE}<p>{}</p></html>",
        escaped(sentence)
    );
    let policy = [(header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'")];
    (status, policy, Html(text)).into_response()
}

const STYLE: &str = "<style>body{font:16px sans-serif;max-width:40em;margin:4em auto}button{font-size:1em;padding:.5em 1em}\
</style>";

/// Text as a value of an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
