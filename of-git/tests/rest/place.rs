//! A git host with an App, a repository of alice's, and ways to ask.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{Method, StatusCode};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use of_git::GithubApp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::support::{Host, Platform, Work, config, until};

pub(crate) const APP: u64 = 4711;

pub(crate) struct Place {
    _data: tempfile::TempDir,
    pub(crate) platform: Platform,
    pub(crate) host: Host,
    pub(crate) work: Work,
    pub(crate) key: SecretString,
    /// The first commit of alice/hello.
    pub(crate) sha: String,
}

/// An answer: its status, its body and the address of the next page.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) next: Option<String>,
}

impl Place {
    /// With `main` of alice/hello pushed.
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// The same, configured in another way.
    pub(crate) async fn with(change: impl FnOnce(&mut of_git::Config)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let platform = Platform::start().await;
        let key = of_git::generate_app_key().unwrap();
        let mut config = config(data.path(), platform.address);
        config.github_app = Some(GithubApp { id: APP, public_key: of_git::public_app_key(&key).unwrap() });
        config.follow_timeout = std::time::Duration::from_millis(1);
        change(&mut config);
        let host = Host::start(config).await;
        let work = Work::new().await;
        let sha = work.commit("stack.yml", "one\n").await;
        let place = Self { _data: data, platform, host, work, key, sha };
        place.push("alice/hello", &["main"]).await;
        place
    }

    /// Pushes and waits for the webhook.
    pub(crate) async fn push(&self, path: &str, what: &[&str]) {
        let before = self.platform.webhooks().len();
        let (owner, _) = path.split_once('/').unwrap();
        assert!(self.work.push(&self.host.url(owner, path), what).await.status.success());
        self.platform.wait_for(before + 1).await;
    }

    /// What the App signs to say who it is.
    pub(crate) fn jwt(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let key = EncodingKey::from_rsa_pem(self.key.expose_secret().as_bytes()).unwrap();
        let claims = json!({"iss": APP.to_string(), "iat": now - 60, "exp": now + 540});
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
    }

    pub(crate) fn push_token(&self, owner: &str) -> String {
        of_git::token(&self.host.config.token_key, &owner.parse().unwrap()).expose_secret().to_owned()
    }

    /// A token of alice's installation with these permissions.
    pub(crate) async fn token(&self, permissions: Value) -> String {
        let body = json!({"permissions": permissions});
        let answer = self.app(Method::POST, "/app/installations/1/access_tokens", Some(body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.body["token"].as_str().unwrap().to_owned()
    }

    /// Asks as the App.
    pub(crate) async fn app(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.ask(method, path, &self.jwt(), body).await
    }

    /// Asks as alice.
    pub(crate) async fn alice(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.ask(method, path, &self.push_token("alice"), body).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
        let base = format!("http://{}/api/v3", self.host.address);
        let mut request = sdk::http::client().request(method, format!("{base}{path}")).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let next = link.and_then(|link| {
            let next = link.split(", ").find(|link| link.ends_with("rel=\"next\""))?.to_owned();
            let address = next.trim_start_matches('<').split('>').next()?.to_owned();
            Some(address.strip_prefix("http://git.localhost:8000/api/v3")?.to_owned())
        });
        let text = response.text().await.unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        Answer { status, body, next }
    }

    /// Makes a check run as the App does and returns its number.
    pub(crate) async fn check_run(&self, token: &str, body: Value) -> u64 {
        let made = self.ask(Method::POST, "/repos/alice/hello/check-runs", token, Some(body)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        made.body["id"].as_u64().unwrap()
    }

    /// Waits for a webhook of this kind and returns its body; there must not be a second one.
    pub(crate) async fn webhook(&self, event: &str) -> Value {
        let of_kind = || self.platform.webhooks().into_iter().filter(|w| w.headers["x-github-event"] == event);
        until(|| of_kind().count() == 1).await;
        of_kind().next().unwrap().body
    }
}
