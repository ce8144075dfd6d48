//! An OpenID provider that says whatever a test wants it to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use url::Url;

use super::{CLIENT_ID, CLIENT_SECRET};

pub(super) struct World {
    pub(super) document: Value,
    pub(super) keys: Vec<Value>,
    pub(super) id_token: Option<String>,
    pub(super) userinfo: Value,
    pub(super) asked: HashMap<&'static str, usize>,
}

#[derive(Clone)]
pub(super) struct FakeOidc {
    pub(super) url: Url,
    world: Arc<Mutex<World>>,
}

/// A key that signs, and its public half.
pub(super) struct Key {
    pub(super) signing: EncodingKey,
    pub(super) public: Value,
    pub(super) kid: String,
}

impl Key {
    pub(super) fn new(kid: &str) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
        let point = pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        let public = json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256", "x": x, "y": y});
        Self { signing: EncodingKey::from_ec_der(pkcs8.as_ref()), public, kid: kid.to_owned() }
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &self.signing).unwrap()
    }
}

impl FakeOidc {
    pub(super) async fn start(keys: &[&Key]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let at = |path: &str| url.join(path).unwrap().to_string();
        let document = json!({
            "issuer": url.as_str(),
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/keys"),
            "userinfo_endpoint": at("/me"),
        });
        let keys = keys.iter().map(|key| key.public.clone()).collect();
        let world = World { document, keys, id_token: None, userinfo: json!({}), asked: HashMap::new() };
        let fake = Self { url, world: Arc::new(Mutex::new(world)) };
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(document_page))
            .route("/keys", get(keys_page))
            .route("/token", post(token))
            .route("/me", get(me))
            .with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        fake
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn count(&self, what: &'static str) {
        *self.world().asked.entry(what).or_default() += 1;
    }
}

async fn document_page(State(fake): State<FakeOidc>) -> Json<Value> {
    fake.count("document");
    Json(fake.world().document.clone())
}

async fn keys_page(State(fake): State<FakeOidc>) -> Json<Value> {
    fake.count("keys");
    Json(json!({"keys": fake.world().keys}))
}

async fn token(
    State(fake): State<FakeOidc>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    if headers.get(header::AUTHORIZATION).is_none_or(|sent| sent.as_bytes() != basic.as_bytes()) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": "invalid_client"}))).into_response();
    }
    if form.get("code_verifier").is_none_or(|verifier| verifier.len() != 43) || form.contains_key("client_secret") {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_request"}))).into_response();
    }
    let mut answer = json!({"access_token": "oidc-token", "token_type": "Bearer"});
    if let Some(token) = &fake.world().id_token {
        answer["id_token"] = json!(token);
    }
    Json(answer).into_response()
}

async fn me(State(fake): State<FakeOidc>, headers: HeaderMap) -> Response {
    fake.count("me");
    if headers.get(header::AUTHORIZATION).is_none_or(|sent| sent != "Bearer oidc-token") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Json(fake.world().userinfo.clone()).into_response()
}
