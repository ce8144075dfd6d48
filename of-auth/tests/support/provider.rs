//! A small OAuth server with GitHub's interface: it keeps its users, codes and tokens, and checks what clients say.
#![expect(clippy::unwrap_used, reason = "test helper")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use url::Url;

pub(crate) const CLIENT_ID: &str = "client-of-the-tests";
pub(crate) const CLIENT_SECRET: &str = "client-secret-of-the-tests";

/// Number and organisations (number, login, role).
type Known = (u64, Vec<(u64, String, String)>);

#[derive(Default)]
struct Inner {
    /// Who sits in front of the browser; `None` says no.
    user: Option<String>,
    /// By login.
    people: HashMap<String, Known>,
    /// By code: the challenge, the return address, whose.
    codes: HashMap<String, (String, String, String)>,
    tokens: HashMap<String, String>,
    /// Everything secret that was ever given out.
    secrets: Vec<String>,
    broken: bool,
}

#[derive(Clone)]
pub(crate) struct Provider {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl Provider {
    /// One with operator (1), alice (42, member of acme), bob (43) and mallory (66).
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self { address: listener.local_addr().unwrap(), inner: Arc::default() };
        for (login, id) in [("operator", 1), ("bob", 43), ("mallory", 66)] {
            this.knows(login, id, &[]);
        }
        this.knows("alice", 42, &[(7, "acme", "member"), (8, "stranger", "admin")]);
        let app = Router::new()
            .route("/login/oauth/authorize", axum::routing::get(authorize))
            .route("/login/oauth/access_token", axum::routing::post(exchange))
            .route("/api/v3/user", axum::routing::get(user))
            .route("/api/v3/user/memberships/orgs", axum::routing::get(memberships))
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        this
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn knows(&self, login: &str, id: u64, organisations: &[(u64, &str, &str)]) {
        let owned = organisations.iter().map(|(id, login, role)| (*id, (*login).to_owned(), (*role).to_owned()));
        self.inner.lock().unwrap().people.insert(login.into(), (id, owned.collect()));
    }

    pub(crate) fn is_used_by(&self, login: &str) {
        self.inner.lock().unwrap().user = Some(login.into());
    }

    pub(crate) fn says_no(&self) {
        self.inner.lock().unwrap().user = None;
    }

    pub(crate) fn breaks(&self) {
        self.inner.lock().unwrap().broken = true;
    }

    pub(crate) fn secrets(&self) -> Vec<String> {
        self.inner.lock().unwrap().secrets.clone()
    }
}

fn random() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    hex::encode(bytes)
}

async fn authorize(State(this): State<Provider>, Query(query): Query<HashMap<String, String>>) -> Response {
    let mut inner = this.inner.lock().unwrap();
    let right = query["client_id"] == CLIENT_ID
        && query["redirect_uri"] == format!("{}/oauth2/authorized", super::ISSUER)
        && query["code_challenge_method"] == "S256";
    if !right {
        return (StatusCode::BAD_REQUEST, format!("{query:?}")).into_response();
    }
    let mut back: Url = query["redirect_uri"].parse().unwrap();
    match inner.user.clone() {
        Some(user) => {
            let code = random();
            inner.secrets.push(code.clone());
            inner.codes.insert(code.clone(), (query["code_challenge"].clone(), query["redirect_uri"].clone(), user));
            back.query_pairs_mut().append_pair("code", &code);
        }
        None => drop(back.query_pairs_mut().append_pair("error", "access_denied")),
    }
    back.query_pairs_mut().append_pair("state", &query["state"]);
    inner.secrets.push(query["state"].clone());
    Redirect::to(back.as_str()).into_response()
}

async fn exchange(State(this): State<Provider>, Form(form): Form<HashMap<String, String>>) -> Response {
    let mut inner = this.inner.lock().unwrap();
    if inner.broken {
        return (StatusCode::BAD_GATEWAY, "<html>oops</html>").into_response();
    }
    inner.secrets.push(form["code_verifier"].clone());
    let known = form["client_id"] == CLIENT_ID && form["client_secret"] == CLIENT_SECRET;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    let answer = match inner.codes.remove(&form["code"]) {
        Some((wanted, back, user)) if known && wanted == challenge && back == form["redirect_uri"] => {
            let token = format!("gho_{}", random());
            inner.secrets.push(token.clone());
            inner.tokens.insert(token.clone(), user);
            json!({"access_token": token, "token_type": "bearer", "scope": "read:org"})
        }
        // As GitHub does: 200.
        _ => json!({"error": "bad_verification_code"}),
    };
    Json(answer).into_response()
}

fn whose(this: &Provider, headers: &HeaderMap) -> Option<(String, Known)> {
    let inner = this.inner.lock().unwrap();
    let token = headers.get("authorization")?.to_str().ok()?.split_once(' ')?.1;
    let login = inner.tokens.get(token)?;
    Some((login.clone(), inner.people.get(login)?.clone()))
}

async fn user(State(this): State<Provider>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let (login, (id, _)) = whose(&this, &headers).ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(Json(json!({"login": login, "id": id})))
}

async fn memberships(State(this): State<Provider>, headers: HeaderMap) -> Result<Json<Vec<Value>>, StatusCode> {
    let (_, (_, organisations)) = whose(&this, &headers).ok_or(StatusCode::UNAUTHORIZED)?;
    let shown = organisations
        .iter()
        .map(|(id, login, role)| json!({"state": "active", "role": role, "organization": {"id": id, "login": login}}));
    Ok(Json(shown.collect()))
}
