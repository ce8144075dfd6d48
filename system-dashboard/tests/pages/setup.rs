//! A dashboard in front of a gateway in memory.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, Response, StatusCode};
use sdk::fake_gateway::{FakeGateway, PAYLOAD_SECRET};
use sdk::gateway::FunctionStatus;
use sdk::history::PushRecord;
use sdk::identity::{Identity, IdentityKey};
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const SHA: &str = "a1b2c3d4e5a1b2c3d4e5a1b2c3d4e5a1b2c3d4e5";
/// What a stranger may write anywhere.
pub(crate) const EVIL: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>";

pub(crate) struct Dashboard {
    pub(crate) fake: FakeGateway,
    pub(crate) router: Router,
}

/// An answer, read.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// A person who is a member at `acme` and may look at `beta`.
pub(crate) fn alice() -> Identity {
    let orgs = json!([{"id": 9, "login": "acme", "role": "member"}, {"id": 8, "login": "beta", "role": "viewer"}]);
    read(json!({"host": "git.localhost", "id": 7, "login": "alice", "organisations": orgs}))
}

/// Somebody else, who runs the installation.
pub(crate) fn operator() -> Identity {
    read(json!({"host": "git.localhost", "id": 1, "login": "root", "operator": true}))
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a test's value")
}

/// A deployed function of the owner with this number.
pub(crate) fn function(name: &str, owner: u64) -> FunctionStatus {
    read(json!({
        "name": name, "image": format!("registry.local/{name}@sha256:{}", "0".repeat(64)), "replicas": 1, "availableReplicas": 1,
        "invocationCount": 12.0,
        "labels": {
            "com.openfaas.cloud.git-cloud": "1", "com.openfaas.cloud.git-owner": "alice",
            "com.openfaas.cloud.git-owner-id": owner.to_string(), "com.openfaas.cloud.git-scm": "git.localhost",
            "com.openfaas.cloud.git-repo": "shop", "com.openfaas.cloud.git-sha": SHA,
            "com.openfaas.cloud.git-branch": "main", "com.openfaas.cloud.git-deploytime": "1790000000",
        },
        "annotations": {"topic": "orders", "com.openfaas.cloud.git-repo-url": "https://git.localhost/alice/shop"},
        "envVars": {"MODE": "value-nobody-sees"}, "secrets": ["alice-db"], "limits": {"memory": "128Mi", "cpu": "500m"},
    }))
}

/// A push of alice's.
pub(crate) fn push(state: &str, message: &str) -> PushRecord {
    read(json!({
        "owner_id": {"host": "git.localhost", "id": 7}, "owner": "alice", "repo": "shop", "repo_id": 11, "sha": SHA,
        "branch": "main", "html_url": "https://git.localhost/alice/shop", "message": message, "author": "Alice Doe",
        "began": 1_790_000_000_000_u64, "ended": 1_790_000_042_000_u64, "state": state, "description": "cart does not compile",
        "functions": [
            {"name": "cart", "state": state, "description": "The compiler ended with 1", "began": 1_790_000_001_000_u64, "ended": 1_790_000_031_500_u64},
            {"name": "mail", "state": "success", "unchanged": true},
        ],
        "removed": ["old"],
    }))
}

impl Dashboard {
    /// One with a function of alice's, which all parts know about.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(vars: &[(&str, &str)]) -> Self {
        let fake = FakeGateway::start().await;
        let mut all = vec![("gateway_pretty_url", "https://user.example.com/function")];
        all.extend(vars);
        let router = system_dashboard::router(&fake.env(&all, &[])).expect("the dashboard is configured");
        let dashboard = Self { fake, router };
        dashboard.put("alice-cart", 7);
        dashboard.says("system-metrics", metrics("alice-cart"));
        dashboard.says("pipeline-log/history", json!([push("success", "Sell things")]));
        dashboard
    }

    /// The same dashboard at another gateway.
    pub(crate) fn at(&self, gateway: &str) -> Router {
        let vars = [("gateway_url", gateway), ("gateway_pretty_url", "https://user.example.com/function")];
        let env = sdk::Env::from_map(vars, self.fake.secrets(&[]));
        system_dashboard::router(&env).expect("the dashboard is configured")
    }

    pub(crate) fn put(&self, name: &str, owner: u64) {
        self.fake.put_function(function(name, owner));
        self.lists();
    }

    /// Lets list-functions say what is at the gateway for whom it is asked.
    fn lists(&self) {
        let fake = self.fake.clone();
        let of = move |id: u64| {
            let all = fake.function_names().into_iter().filter_map(|name| fake.function(&name));
            let owner = |f: &FunctionStatus| f.labels["com.openfaas.cloud.git-owner-id"] == id.to_string();
            all.filter(owner).collect::<Vec<_>>()
        };
        let id =
            |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap_or_default()["owner_id"].as_u64().unwrap_or(0);
        let all = of.clone();
        self.fake.answer_with("list-functions", move |body| (StatusCode::OK, json!(all(id(body))).to_string()));
        self.fake.answer_with("list-functions/page", move |body| {
            let all = of(id(body));
            let limit = serde_json::from_slice::<Value>(body).unwrap_or_default()["limit"].as_u64().unwrap_or(100);
            let first: Vec<_> = all.iter().take(usize::try_from(limit).unwrap_or(100)).collect();
            (StatusCode::OK, json!({"functions": first, "total": all.len()}).to_string())
        });
    }

    /// Lets list-functions say that an owner has these.
    pub(crate) fn has(&self, all: &[FunctionStatus]) {
        self.says("list-functions", all);
        let first: Vec<_> = all.iter().take(25).collect();
        self.says("list-functions/page", json!({"functions": first, "total": all.len()}));
    }

    pub(crate) fn says(&self, function: &str, answer: impl serde::Serialize) {
        let text = serde_json::to_string(&answer).expect("a test's answer");
        self.fake.answer_with(function, move |_| (StatusCode::OK, text.clone()));
    }

    pub(crate) fn fails(&self, function: &str) {
        self.fake.answer_with(function, |_| (StatusCode::BAD_GATEWAY, "secret cause".to_owned()));
    }

    /// Lets pipeline-log have a log, and answer with the part of it that is asked for.
    pub(crate) fn log(&self, log: impl AsRef<[u8]>) {
        let log = log.as_ref().to_vec();
        self.fake.respond_with("pipeline-log/read", move |body| {
            let asked: Value = serde_json::from_slice(body).expect("a question");
            let number = |name: &str| asked[name].as_u64().and_then(|number| usize::try_from(number).ok());
            let tail = number("tail_bytes").map(|bytes| log.len().saturating_sub(bytes));
            let start = tail.or(number("from")).unwrap_or(0).min(log.len());
            let end = number("max_bytes").map_or(log.len(), |bytes| start.saturating_add(bytes).min(log.len()));
            let response = Response::builder().header("x-log-state", "whole").header("x-log-length", log.len());
            response.header("x-log-start", start).body(Body::from(log[start..end].to_vec())).expect("an answer")
        });
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.get_as(&alice(), path).await
    }

    pub(crate) async fn get_as(&self, who: &Identity, path: &str) -> Page {
        self.page(request("GET", path, who, Duration::from_secs(60), Body::empty())).await
    }

    /// Sends a form as a browser would from our own page.
    pub(crate) async fn post(&self, who: &Identity, path: &str, form: &str) -> Page {
        let mut request = request("POST", path, who, Duration::from_secs(60), Body::from(form.to_owned()));
        request.headers_mut().insert("sec-fetch-site", "same-origin".parse().expect("a header"));
        self.page(request).await
    }

    pub(crate) async fn page(&self, request: Request<Body>) -> Page {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a whole answer");
        let text = String::from_utf8(bytes.to_vec()).expect("a page is UTF-8");
        Page { status: head.status, headers: head.headers, text }
    }

    /// The token in a page's forms.
    pub(crate) async fn token(&self, path: &str) -> String {
        let page = self.get(path).await;
        let (_, rest) = page.text.split_once("name=\"token\" value=\"").expect("a form");
        rest.split('"').next().unwrap_or_default().replace('=', "%3D")
    }
}

pub(crate) fn request(method: &str, path: &str, who: &Identity, lifetime: Duration, body: Body) -> Request<Body> {
    let form = "application/x-www-form-urlencoded";
    let mut request = Request::builder().method(method).uri(path).header("host", "system.example.com");
    if method == "POST" {
        request = request.header("content-type", form);
    }
    let mut request = request.body(body).expect("a request");
    IdentityKey::derive(&PAYLOAD_SECRET.into(), "system-dashboard").tell(request.headers_mut(), who, lifetime);
    request
}

/// A day of a function's figures.
pub(crate) fn metrics(name: &str) -> Value {
    let point = |at: u64| {
        let wave = ((at as f64) / 4.0).sin() + 1.3;
        let latency = json!({"p50": 0.02 * wave, "p95": 0.08 * wave, "p99": 0.2 * wave});
        json!({"at": 1_790_000_000 + at * 60, "success": (wave * 40.0).round(), "failure": if at.is_multiple_of(9) { 6 } else { 0 },
               "latency": latency, "replicas": 1.0 + f64::from(wave > 1.8), "memory": 4.0e7 * (1.0 + wave / 9.0), "cpu": 0.06 * wave})
    };
    let figures = json!({"codes": {"200": 1240.0, "500": 31.0}, "latency": {"p50": 0.021, "p95": 0.084, "p99": 0.31},
                         "replicas": 1.0, "series": (0..60).map(point).collect::<Vec<_>>()});
    json!({"source": "gateway", "since": 1_789_990_000, "until": 1_790_003_600, "functions": {name: figures}})
}
