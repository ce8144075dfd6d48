//! Requests that nobody may believe.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use http::{HeaderMap, Method, Request};
use secrecy::SecretString;
use serde::Serialize;

use crate::identity::{Identity, IdentityKey};
use crate::signing::{Key, MAX_LIFETIME};

const MINUTE: Duration = Duration::from_secs(60);

type Headers = Vec<(&'static str, String)>;

/// Every way to send a message to `path` of a function without the right to. The function believes what is signed for the name
/// `target` under `secret`. Each has a name, for the test that fails.
///
/// # Panics
/// When the message cannot be encoded.
#[expect(clippy::expect_used, reason = "for tests")]
pub fn forgeries(
    secret: &str,
    target: &str,
    path: &str,
    message: &impl Serialize,
) -> Vec<(&'static str, Request<Body>)> {
    let body = serde_json::to_vec(message).expect("a message is JSON");
    let signatures = wrong_signatures(secret, target, &body);
    let right = signed(&key(secret, target), &body);
    // Still the same message to a JSON parser.
    let other = [&body[..], b" "].concat();
    let all = signatures.into_iter().map(|(what, headers)| (what, headers, body.clone()));
    let all = all.chain([("another body", right.clone(), other), ("no body", right, Vec::new())]);
    let mut requests: Vec<_> = all.map(|(what, headers, body)| (what, request(path, headers, body))).collect();
    let mut person = request(path, Vec::new(), body);
    a_person(secret, target, person.headers_mut());
    requests.push(("the word of the router about a person", person));
    requests
}

fn wrong_signatures(secret: &str, target: &str, body: &[u8]) -> Vec<(&'static str, Headers)> {
    let own = key(secret, target);
    let right = signed(&own, body);
    let changed = |index: usize, value: &str| {
        let mut headers = right.clone();
        headers[index].1 = value.to_owned();
        headers
    };
    let until = |expires| own.sign_until(&Method::POST, body, expires).to_vec();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let half = &right[1].1[..right[1].1.len() / 2];
    vec![
        ("no signature", Vec::new()),
        ("no expiry", right[1..].to_vec()),
        ("an expiry alone", right[..1].to_vec()),
        ("another secret", signed(&key("another secret", target), body)),
        ("an empty secret", signed(&key("", target), body)),
        ("another function's key", signed(&key(secret, "another-function"), body)),
        ("the key of another path", signed(&key(secret, &format!("{target}/another")), body)),
        ("the key of no function", signed(&key(secret, ""), body)),
        ("another method", own.sign(&Method::GET, body, MINUTE).to_vec()),
        ("another expiry", changed(0, &(now + 61).to_string())),
        ("an expiry that is no time", changed(0, "never")),
        ("half a signature", changed(1, half)),
        ("an empty signature", changed(1, "v1=")),
        ("a signature of another kind", changed(1, "none")),
        ("a moment too late", until(now - 1)),
        ("a time beyond all limits", until(now + MAX_LIFETIME.as_secs() + 3600)),
    ]
}

fn key(secret: &str, target: &str) -> Key {
    Key::derive(&SecretString::from(secret), target)
}

fn signed(key: &Key, body: &[u8]) -> Headers {
    key.sign(&Method::POST, body, MINUTE).to_vec()
}

#[expect(clippy::expect_used, reason = "for tests")]
fn a_person(secret: &str, target: &str, headers: &mut HeaderMap) {
    let who = serde_json::json!({"host": "git.localhost", "id": 7, "login": "alice", "operator": true});
    let who: Identity = serde_json::from_value(who).expect("a person");
    IdentityKey::derive(&SecretString::from(secret), target).tell(headers, &who, MINUTE);
}

#[expect(clippy::expect_used, reason = "for tests")]
fn request(path: &str, headers: Headers, body: Vec<u8>) -> Request<Body> {
    let request = headers.into_iter().fold(Request::post(path), |request, (name, value)| request.header(name, value));
    request.body(Body::from(body)).expect("a valid request")
}
