//! A provider with GitHub's and GitLab's faces. It keeps state: codes are good once, for one verifier and address.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::{CLIENT_ID, CLIENT_SECRET};

type Fields = HashMap<String, String>;

/// What it says about the person, and how it behaves.
pub(super) struct World {
    pub(super) user: Value,
    /// GitLab's namespaces, by their paths.
    pub(super) namespaces: HashMap<String, Value>,
    /// All that are listed, with the access level at GitLab.
    pub(super) organisations: Vec<(u64, Value)>,
    pub(super) page_size: usize,
    /// Where links to the next page lead, instead of here.
    pub(super) links: Option<String>,
    codes: HashMap<String, Fields>,
    pub(super) tokens: HashSet<String>,
    /// Every form that came to exchange a code.
    pub(super) exchanges: Vec<Fields>,
}

#[derive(Clone)]
pub(super) struct Fake {
    pub(super) url: Url,
    world: Arc<Mutex<World>>,
}

impl Fake {
    pub(super) async fn start(user: Value, organisations: Vec<(u64, Value)>) -> Self {
        let world = World {
            user,
            namespaces: HashMap::new(),
            organisations,
            page_size: 2,
            links: None,
            codes: HashMap::new(),
            tokens: HashSet::new(),
            exchanges: Vec::new(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let fake = Self { url, world: Arc::new(Mutex::new(world)) };
        let app = Router::new()
            .route("/login/oauth/authorize", get(authorise))
            .route("/oauth/authorize", get(authorise))
            .route("/login/oauth/access_token", post(github_token))
            .route("/oauth/token", post(gitlab_token))
            .route("/api/v3/user", get(person))
            .route("/api/v4/user", get(person))
            .route("/api/v4/namespaces/{path}", get(namespace))
            .route("/api/v3/user/memberships/orgs", get(memberships))
            .route("/api/v4/groups", get(groups))
            .with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        fake
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn exchange(&self, form: Fields) -> Result<String, &'static str> {
        let mut world = self.world();
        world.exchanges.push(form.clone());
        let sent = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if sent("client_id") != CLIENT_ID || sent("client_secret") != CLIENT_SECRET {
            return Err("incorrect_client_credentials");
        }
        let request = world.codes.remove(sent("code")).ok_or("bad_verification_code")?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(sent("code_verifier")));
        if request["code_challenge"] != challenge {
            return Err("bad_verification_code");
        }
        if request["redirect_uri"] != sent("redirect_uri") {
            return Err("redirect_uri_mismatch");
        }
        let token = format!("gho_secret{}", world.tokens.len());
        world.tokens.insert(token.clone());
        Ok(token)
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        sent.strip_prefix("Bearer ").is_some_and(|token| self.world().tokens.contains(token))
    }

    fn page(&self, path: &str, query: &Fields, all: Vec<Value>) -> Response {
        let size = self.world().page_size;
        let links = self.world().links.clone();
        let number: usize = query.get("page").map_or(1, |page| page.parse().unwrap());
        let entries: Vec<_> = all.iter().skip((number - 1) * size).take(size).cloned().collect();
        let base = links.unwrap_or_else(|| self.url.join(path).unwrap().to_string());
        let mut kept = query.clone();
        kept.insert("page".into(), (number + 1).to_string());
        let next = Url::parse_with_params(&base, kept).unwrap();
        let mut answer = axum::Json(entries).into_response();
        if number * size < all.len() {
            let link = format!("<{base}?page=1>; rel=\"first\", <{next}>; rel=\"next\"");
            answer.headers_mut().insert(header::LINK, link.parse().unwrap());
        }
        answer
    }
}

async fn authorise(State(fake): State<Fake>, Query(query): Query<Fields>) -> Response {
    let is = |name: &str, value: &str| query.get(name).is_some_and(|sent| sent == value);
    if !is("response_type", "code") || !is("client_id", CLIENT_ID) || !is("code_challenge_method", "S256") {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let mut world = fake.world();
    let code = format!("code{}", world.codes.len());
    world.codes.insert(code.clone(), query.clone());
    let back = Url::parse_with_params(&query["redirect_uri"], [("code", &code), ("state", &query["state"])]).unwrap();
    (StatusCode::FOUND, [(header::LOCATION, back.to_string())]).into_response()
}

/// GitHub says no with a 200.
async fn github_token(State(fake): State<Fake>, Form(form): Form<Fields>) -> Response {
    match fake.exchange(form) {
        Ok(token) => axum::Json(json!({"access_token": token, "token_type": "bearer", "scope": "read:org,read:user"}))
            .into_response(),
        Err(error) => axum::Json(json!({"error": error, "error_description": "No."})).into_response(),
    }
}

async fn gitlab_token(State(fake): State<Fake>, Form(form): Form<Fields>) -> Response {
    if form.get("grant_type").is_none_or(|kind| kind != "authorization_code") {
        return StatusCode::BAD_REQUEST.into_response();
    }
    match fake.exchange(form) {
        Ok(token) => {
            axum::Json(json!({"access_token": token, "token_type": "Bearer", "expires_in": 7200})).into_response()
        }
        Err(_) => (StatusCode::BAD_REQUEST, axum::Json(json!({"error": "invalid_grant"}))).into_response(),
    }
}

async fn person(State(fake): State<Fake>, headers: HeaderMap) -> Response {
    if !fake.knows(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    axum::Json(fake.world().user.clone()).into_response()
}

async fn memberships(State(fake): State<Fake>, headers: HeaderMap, Query(query): Query<Fields>) -> Response {
    if !fake.knows(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let all = fake.world().organisations.iter().map(|(_, entry)| entry.clone()).collect();
    fake.page("/api/v3/user/memberships/orgs", &query, all)
}

async fn groups(State(fake): State<Fake>, headers: HeaderMap, Query(query): Query<Fields>) -> Response {
    if !fake.knows(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let least: u64 = query["min_access_level"].parse().unwrap();
    let all = fake
        .world()
        .organisations
        .iter()
        .filter(|(level, _)| *level >= least)
        .map(|(_, entry)| entry.clone())
        .collect();
    fake.page("/api/v4/groups", &query, all)
}

async fn namespace(State(fake): State<Fake>, headers: HeaderMap, Path(path): Path<String>) -> Response {
    if !fake.knows(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let found = fake.world().namespaces.get(&path).cloned();
    found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |found| axum::Json(found).into_response())
}
