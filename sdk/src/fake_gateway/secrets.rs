//! What operators ask: the secrets.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use http::{HeaderMap, StatusCode};

use super::functions::is_operator;
use super::{FakeGateway, FakeSecret, Fate};
use crate::gateway::{DEFAULT_NAMESPACE, NamedSecret, Secret};

pub(super) async fn list(State(fake): State<FakeGateway>, headers: HeaderMap) -> Response {
    if let Some(refusal) = fake.check_secrets("GET /system/secrets", &headers).await {
        return refusal;
    }
    let named = |name: &String| NamedSecret { name: name.clone(), namespace: DEFAULT_NAMESPACE.to_owned() };
    Json(fake.kept().secrets.keys().map(named).collect::<Vec<_>>()).into_response()
}

pub(super) async fn create(
    State(fake): State<FakeGateway>,
    headers: HeaderMap,
    Json(secret): Json<Secret>,
) -> Response {
    fake.write_secret("POST /system/secrets", &headers, secret, false).await
}

pub(super) async fn update(
    State(fake): State<FakeGateway>,
    headers: HeaderMap,
    Json(secret): Json<Secret>,
) -> Response {
    fake.write_secret("PUT /system/secrets", &headers, secret, true).await
}

pub(super) async fn delete(
    State(fake): State<FakeGateway>,
    headers: HeaderMap,
    Json(unwanted): Json<NamedSecret>,
) -> Response {
    if let Some(refusal) = fake.check_secrets("DELETE /system/secrets", &headers).await {
        return refusal;
    }
    let removed = fake.kept().secrets.remove(&unwanted.name);
    removed.map_or(StatusCode::NOT_FOUND, |_| StatusCode::ACCEPTED).into_response()
}

impl FakeGateway {
    /// Puts a secret there as if somebody had made it by hand.
    pub fn put_secret(&self, name: &str, value: &[u8]) {
        let secret = FakeSecret { value: value.to_owned(), file_name: String::new() };
        self.kept().secrets.insert(name.to_owned(), secret);
    }

    /// Removes a secret as if somebody had done so by hand. True if it was there.
    pub fn remove_secret(&self, name: &str) -> bool {
        self.kept().secrets.remove(name).is_some()
    }

    /// A secret, if it is there.
    pub fn secret(&self, name: &str) -> Option<FakeSecret> {
        self.kept().secrets.get(name).cloned()
    }

    /// The names of all secrets.
    pub fn secret_names(&self) -> Vec<String> {
        self.kept().secrets.keys().cloned().collect()
    }

    /// How often secrets were created or updated by calls so far.
    pub fn secret_writes(&self) -> usize {
        self.kept().secret_writes
    }

    async fn check_secrets(&self, route: &str, headers: &HeaderMap) -> Option<Response> {
        if !is_operator(headers) {
            return Some(StatusCode::UNAUTHORIZED.into_response());
        }
        match self.fate(route) {
            Fate::Worked => None,
            Fate::Refused(status, text) => Some((status, text).into_response()),
            Fate::Stalled => std::future::pending().await,
        }
    }

    async fn write_secret(&self, route: &str, headers: &HeaderMap, secret: Secret, update: bool) -> Response {
        if let Some(refusal) = self.check_secrets(route, headers).await {
            return refusal;
        }
        let value = match base64::engine::general_purpose::STANDARD.decode(&secret.raw_value) {
            Ok(raw) if !raw.is_empty() => raw,
            Ok(_) => secret.value.into_bytes(),
            Err(_) => return (StatusCode::BAD_REQUEST, "rawValue is not base64").into_response(),
        };
        let mut kept = self.kept();
        if kept.secrets.contains_key(&secret.name) != update {
            let status = if update { StatusCode::NOT_FOUND } else { StatusCode::CONFLICT };
            return status.into_response();
        }
        kept.secret_writes += 1;
        kept.secrets.insert(secret.name, FakeSecret { value, file_name: secret.file_name });
        StatusCode::ACCEPTED.into_response()
    }
}
