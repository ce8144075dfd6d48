//! A running of-auth with a provider, a gateway, and browsers that know it as `https://….example.com`.
#![allow(dead_code, reason = "each test program uses its part")]
#![expect(clippy::unwrap_used, reason = "test helper")]

pub(crate) mod browser;
pub(crate) mod provider;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use of_auth::{Clock, Config};
use sdk::Env;
use sdk::audit::AuditEvent;
use sdk::signing::Key;
use session::protocol::{AUTH, Answer, NOTICES_PATH, Notice, QUESTION_PATH, Question};
use session::{Jwks, Verifier};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use browser::Browser;
pub(crate) use provider::Provider;

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
pub(crate) const PAYLOAD_SECRET: &str = "payload-secret-of-the-tests";
pub(crate) const AUTH_HOST: &str = "auth.system.example.com";
pub(crate) const ISSUER: &str = "https://auth.system.example.com";

/// Waits until something holds.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(5));
    let wait = async {
        while !holds() {
            look.tick().await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("it did not happen in time"));
}

/// What stands in for the gateway: it keeps the audit events.
#[derive(Clone, Default)]
pub(crate) struct Trail(Arc<Mutex<Vec<AuditEvent>>>);

impl Trail {
    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let take = async |State(trail): State<Trail>, headers: HeaderMap, body: Bytes| {
            let key = Key::derive(&PAYLOAD_SECRET.into(), "audit-event");
            key.verify(&Method::POST, &headers, &body).unwrap();
            trail.0.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            StatusCode::ACCEPTED
        };
        let app = axum::Router::new()
            .route("/async-function/audit-event", axum::routing::post(take))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        address
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|event| format!("{}: {}", event.actor, event.message)).collect()
    }

    /// Waits for a line with this in it.
    pub(crate) async fn has(&self, part: &str) {
        until(|| self.lines().iter().any(|line| line.contains(part))).await;
    }
}

/// A running of-auth.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
    pub(crate) provider: Provider,
    pub(crate) trail: Trail,
    pub(crate) folder: Arc<tempfile::TempDir>,
    variables: Vec<(String, String)>,
    shutdown: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Service {
    /// One with the tenants alice, bob and acme, and the operator 1.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// As [`Service::start`], with some variables of its own.
    pub(crate) async fn start_with(own: &[(&str, &str)]) -> Self {
        let (provider, trail) = (Provider::start().await, Trail::default());
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let customers = folder.path().join("customers.txt");
        std::fs::write(&customers, "alice\nbob\nacme\n").unwrap();
        let usual = [
            ("domain", "example.com".to_owned()),
            ("auth_public_url", ISSUER.to_owned()),
            ("data_dir", folder.path().join("data").display().to_string()),
            ("gateway_url", format!("http://{}", trail.start().await)),
            ("oauth_provider", "github".to_owned()),
            ("oauth_provider_base_url", provider.url()),
            ("client_id", provider::CLIENT_ID.to_owned()),
            ("customers_path", customers.display().to_string()),
            ("operators", "127.0.0.1/1".to_owned()),
        ];
        let mut variables: Vec<(String, String)> =
            usual.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for (name, value) in own {
            variables.retain(|(known, _)| known != name);
            variables.push(((*name).to_owned(), (*value).to_owned()));
        }
        Self::run(Clock::default(), provider, trail, folder, variables).await.unwrap()
    }

    async fn run(
        clock: Clock,
        provider: Provider,
        trail: Trail,
        folder: Arc<tempfile::TempDir>,
        variables: Vec<(String, String)>,
    ) -> anyhow::Result<Self> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let secrets = [("payload-secret", PAYLOAD_SECRET), ("of-client-secret", provider::CLIENT_SECRET)];
        let mut config = Config::from_env(&Env::from_map(variables.clone(), secrets)).await?;
        config.clock = clock.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(of_auth::serve(config, listener, shutdown.clone()));
        Ok(Self { address, clock, provider, trail, folder, variables, shutdown, running })
    }

    /// Ends it and gives what came of it.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.running).await.unwrap().unwrap()
    }

    /// Ends it and starts it anew over the same files.
    pub(crate) async fn restart(self) -> Self {
        let Self { clock, provider, trail, folder, variables, shutdown, running, .. } = self;
        shutdown.cancel();
        tokio::time::timeout(DEADLINE, running).await.unwrap().unwrap().unwrap();
        Self::run(clock, provider, trail, folder, variables).await.unwrap()
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.address)
    }

    /// A browser in which a person has just signed in at of-auth's own host.
    pub(crate) async fn signed_in(&self, login: &str) -> Browser {
        self.provider.is_used_by(login);
        let mut browser = self.browser();
        let reply = browser.follow(&format!("{ISSUER}/")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        browser
    }

    fn key() -> Key {
        Key::derive(&PAYLOAD_SECRET.into(), AUTH)
    }

    /// Asks as the router does: 200 and the answer, or another status.
    pub(crate) async fn ask(&self, host: &str, token: &str) -> Result<Answer, StatusCode> {
        let body = serde_json::to_vec(&Question { host: host.into(), token: token.into() }).unwrap();
        let mut request = sdk::http::client().post(format!("http://{}{QUESTION_PATH}", self.address));
        for (name, value) in Self::key().sign(&Method::POST, &body, Duration::from_secs(30)) {
            request = request.header(name, value);
        }
        let response = request.body(body).send().await.unwrap();
        match response.status() {
            StatusCode::OK => Ok(response.json().await.unwrap()),
            other => Err(other),
        }
    }

    pub(crate) async fn jwks(&self) -> Jwks {
        let url = format!("http://{}/.well-known/jwks.json", self.address);
        sdk::http::client().get(url).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn verifier(&self) -> Verifier {
        Verifier::new(ISSUER, &self.jwks().await)
    }

    /// Listens as the router does, until all that was is told.
    pub(crate) async fn listen(&self) -> Listener {
        let mut request = sdk::http::client().get(format!("http://{}{NOTICES_PATH}", self.address));
        for (name, value) in Self::key().sign(&Method::GET, b"", Duration::from_secs(30)) {
            request = request.header(name, value);
        }
        let mut listener = Listener { response: request.send().await.unwrap(), rest: Vec::new(), before: Vec::new() };
        assert_eq!(listener.response.status(), 200);
        loop {
            match listener.next().await {
                Some(Notice::Ready) => return listener,
                Some(notice) => listener.before.push(notice),
                None => panic!("the notices ended before they were ready"),
            }
        }
    }

    /// All bytes of the file of sessions and what is beside it.
    pub(crate) fn files(&self) -> Vec<u8> {
        let folder = std::fs::read_dir(self.folder.path().join("data")).unwrap();
        folder.flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
    }

    /// An API token of a person's, made on the page.
    pub(crate) async fn api_token(&self, browser: &mut Browser, scopes: &[&str]) -> String {
        let mut form = vec![("name", "laptop"), ("days", "30")];
        form.extend(scopes.iter().map(|scope| (*scope, "1")));
        let reply = browser.post(&format!("{ISSUER}/tokens"), &form).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        let begin = reply.text.find("ofct_").unwrap();
        reply.text[begin..].split('<').next().unwrap().to_owned()
    }

    /// Calls the JSON interface.
    pub(crate) async fn api(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<serde_json::Value>,
    ) -> (u16, serde_json::Value) {
        let mut request = sdk::http::client()
            .request(method, format!("http://{}{path}", self.address))
            .header("x-forwarded-host", AUTH_HOST)
            .header("x-forwarded-for", "192.0.2.7");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }
}

/// A router that listens.
pub(crate) struct Listener {
    response: reqwest::Response,
    rest: Vec<u8>,
    /// What was revoked before.
    pub(crate) before: Vec<Notice>,
}

impl Listener {
    /// The next notice; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Notice> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let chunk = tokio::time::timeout(DEADLINE, self.response.chunk()).await.unwrap().ok()??;
            self.rest.extend_from_slice(&chunk);
        }
    }

    /// Waits for the notice that a session has ended.
    pub(crate) async fn hears_the_end_of(&mut self, wanted: &str) {
        while let Some(notice) = self.next().await {
            if matches!(&notice, Notice::Revoked { sid, .. } if sid == wanted) {
                return;
            }
        }
        panic!("the notices ended");
    }
}
