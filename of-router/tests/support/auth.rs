//! An of-auth that keeps sessions and signs real tokens. It never decides who may do what.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use http::{HeaderMap, Method, StatusCode};
use of_router::Config;
use sdk::identity::{Identity, Organisation, Role};
use sdk::signing::Key;
use session::protocol::{Answer, JWKS_PATH, NOTICES_PATH, Notice, QUESTION_PATH, Question, Scope};
use session::{Claims, Jwks, Refused, SigningKey, Verifier};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use super::Reached;

pub(crate) const SECRET: &str = "payload-secret";
pub(crate) const ISSUER: &str = "http://auth.system.localhost";

/// How questions are answered.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    Honest,
    /// This status and body.
    Says(u16, Vec<u8>),
    /// A yes about another host.
    OtherHost,
    /// A yes about another session.
    OtherSession,
    /// A yes with a newer token of another key.
    ForeignRenewal,
    /// A good head, and a body that breaks off.
    BreaksOff,
    /// Nothing at all.
    Hangs,
}

#[derive(Debug)]
struct Kept {
    manner: Manner,
    keys: Vec<Arc<SigningKey>>,
    sessions: HashMap<String, Identity>,
    api_tokens: HashMap<String, (String, Identity, BTreeSet<Scope>)>,
    revoked: Vec<String>,
    questions: usize,
    pages: Vec<Reached>,
    mute: bool,
    listeners: usize,
}

#[derive(Clone)]
pub(crate) struct Auth {
    pub(crate) address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    lines: broadcast::Sender<String>,
}

pub(crate) fn new_key() -> Arc<SigningKey> {
    Arc::new(SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap())
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A person with a number, a member of organisation 7.
pub(crate) fn person(login: &str, id: u64) -> Identity {
    let acme = Organisation { id: 7, login: "acme".parse().unwrap(), role: Role::Member };
    let organisations = if id == 42 { vec![acme] } else { Vec::new() };
    Identity { host: "github.com".into(), id, login: login.parse().unwrap(), organisations, operator: false }
}

impl Auth {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kept = Kept {
            manner: Manner::Honest,
            keys: vec![new_key()],
            sessions: HashMap::new(),
            api_tokens: HashMap::new(),
            revoked: Vec::new(),
            questions: 0,
            pages: Vec::new(),
            mute: false,
            listeners: 0,
        };
        let (lines, _) = broadcast::channel(64);
        let this = Self { address: listener.local_addr().unwrap(), kept: Arc::new(Mutex::new(kept)), lines };
        let app = axum::Router::new()
            .route(QUESTION_PATH, post(question))
            .route(NOTICES_PATH, get(notices))
            .route(JWKS_PATH, get(keys))
            .fallback(any(page))
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        this
    }

    /// A router's configuration with this of-auth.
    pub(crate) fn behind(&self, mut config: Config) -> Config {
        config.auth_url = Some(format!("http://{}", self.address).parse().unwrap());
        config.payload_secret = Some(SECRET.into());
        config
    }

    /// A session's token for a host that ends in so many seconds, or ended.
    pub(crate) fn token(&self, who: &Identity, sid: &str, host: &str, seconds: i64) -> String {
        self.kept.lock().unwrap().sessions.insert(sid.to_owned(), who.clone());
        let key = self.kept.lock().unwrap().keys[0].clone();
        key.sign(&claims(who, sid, host, seconds)).unwrap()
    }

    /// The same, of a session that ends in so many seconds.
    pub(crate) fn last_token(&self, who: &Identity, sid: &str, host: &str, seconds: i64) -> String {
        let key = self.kept.lock().unwrap().keys[0].clone();
        key.sign(&Claims { last: Some(now().saturating_add_signed(seconds)), ..claims(who, sid, host, 600) }).unwrap()
    }

    pub(crate) fn api_token(&self, token: &str, who: &Identity, scopes: &[Scope]) {
        let entry = (format!("sid-of-{token}"), who.clone(), scopes.iter().copied().collect());
        self.kept.lock().unwrap().api_tokens.insert(token.to_owned(), entry);
    }

    /// Signs with a new key from now on. The old one still counts.
    pub(crate) fn rotate(&self) {
        self.kept.lock().unwrap().keys.insert(0, new_key());
    }

    pub(crate) fn revoke(&self, sid: &str) {
        self.kept.lock().unwrap().revoked.push(sid.to_owned());
        let notice = Notice::Revoked { sid: sid.to_owned(), until: now() + 600 };
        self.say(&serde_json::to_string(&notice).unwrap());
    }

    /// Says a line to all who listen.
    pub(crate) fn say(&self, line: &str) {
        let _ = self.lines.send(format!("{line}\n"));
    }

    pub(crate) fn answers(&self, manner: Manner) {
        self.kept.lock().unwrap().manner = manner;
    }

    /// Says no notices any more, and takes no new listeners.
    pub(crate) fn fall_silent(&self, mute: bool) {
        self.kept.lock().unwrap().mute = mute;
    }

    pub(crate) fn questions(&self) -> usize {
        self.kept.lock().unwrap().questions
    }

    pub(crate) fn listeners(&self) -> usize {
        self.kept.lock().unwrap().listeners
    }

    pub(crate) fn pages(&self) -> Vec<Reached> {
        self.kept.lock().unwrap().pages.clone()
    }
}

pub(crate) fn claims(who: &Identity, sid: &str, host: &str, seconds: i64) -> Claims {
    let exp = now().saturating_add_signed(seconds);
    let (iss, aud, sub) = (ISSUER.into(), host.into(), who.subject());
    Claims { iss, aud, sub, sid: sid.into(), iat: exp.min(now()) - 1, exp, who: who.clone(), last: None }
}

async fn keys(State(auth): State<Auth>) -> Json<Jwks> {
    Json(Jwks { keys: auth.kept.lock().unwrap().keys.iter().map(|key| key.public().clone()).collect() })
}

async fn page(State(auth): State<Auth>, request: Request) -> &'static str {
    let reached = Reached { target: request.uri().to_string(), headers: request.headers().clone() };
    auth.kept.lock().unwrap().pages.push(reached);
    "a page"
}

async fn notices(State(auth): State<Auth>, headers: HeaderMap) -> Response {
    let signed = Key::derive(&SECRET.into(), session::protocol::AUTH).verify(&Method::GET, &headers, b"");
    if signed.is_err() || auth.kept.lock().unwrap().mute {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut live = auth.lines.subscribe();
    let (send, body) = mpsc::channel(64);
    tokio::spawn(async move {
        let revoked = auth.kept.lock().unwrap().revoked.clone();
        auth.kept.lock().unwrap().listeners += 1;
        let lines = revoked.into_iter().map(|sid| Notice::Revoked { sid, until: now() + 600 }).chain([Notice::Ready]);
        for line in lines {
            send.send(serde_json::to_string(&line).unwrap() + "\n").await.ok()?;
        }
        let mut alive = tokio::time::interval(Duration::from_millis(20));
        loop {
            let line = tokio::select! {
                line = live.recv() => line.ok()?,
                _ = alive.tick() => "\"alive\"\n".to_owned(),
            };
            if !auth.kept.lock().unwrap().mute {
                send.send(line).await.ok()?;
            }
        }
        #[expect(unreachable_code, reason = "names the type")]
        Some(())
    });
    Body::from_stream(ReceiverStream::new(body).map(Ok::<_, Infallible>)).into_response()
}

async fn question(State(auth): State<Auth>, headers: HeaderMap, body: Bytes) -> Response {
    auth.kept.lock().unwrap().questions += 1;
    let signed = Key::derive(&SECRET.into(), session::protocol::AUTH).verify(&Method::POST, &headers, &body);
    if signed.is_err() {
        return StatusCode::FORBIDDEN.into_response();
    }
    let question: Question = serde_json::from_slice(&body).unwrap();
    let manner = auth.kept.lock().unwrap().manner.clone();
    let Some(mut answer) = honest(&auth, &question) else { return StatusCode::UNAUTHORIZED.into_response() };
    match manner {
        Manner::Honest => {}
        Manner::Says(status, body) => return (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Manner::OtherHost => answer.claims.aud = "mallory.localhost".into(),
        Manner::OtherSession => answer.claims.sid = "another".into(),
        Manner::ForeignRenewal => answer.renewed = Some(new_key().sign(&answer.claims).unwrap()),
        Manner::BreaksOff => {
            let half = serde_json::to_vec(&answer).unwrap()[..40].to_vec();
            let parts = [Ok(Bytes::from(half)), Err(std::io::Error::other("gone"))];
            return Body::from_stream(tokio_stream::iter(parts)).into_response();
        }
        Manner::Hangs => std::future::pending().await,
    }
    Json(answer).into_response()
}

fn honest(auth: &Auth, question: &Question) -> Option<Answer> {
    let kept = auth.kept.lock().unwrap();
    if let Some((sid, who, scopes)) = kept.api_tokens.get(&question.token) {
        let claims = claims(who, sid, &question.host, 600);
        return (!kept.revoked.contains(sid)).then(|| Answer {
            claims,
            renewed: None,
            scopes: Some(scopes.clone()),
            keep: 3600,
        });
    }
    let keys = Jwks { keys: kept.keys.iter().map(|key| key.public().clone()).collect() };
    let old = match Verifier::new(ISSUER, &keys).verify(&question.token, &question.host, now()) {
        Ok(claims) => claims,
        Err(Refused::Expired(claims)) => *claims,
        Err(_) => return None,
    };
    let who = kept.sessions.get(&old.sid).filter(|_| !kept.revoked.contains(&old.sid))?;
    let claims = claims(who, &old.sid, &question.host, 600);
    let renewed = (old.exp <= now()).then(|| kept.keys[0].sign(&claims).unwrap());
    Some(Answer { claims, renewed, scopes: None, keep: 5 })
}
