//! A GitHub for tests: it keeps tokens, check runs, statuses, deployments and webhook deliveries in memory and has
//! the routes that this project calls, below `/api/v3` as GitHub Enterprise has them.
//!
//! What is right, GitHub's own published description says: a request that does not keep to it is refused with 422 and
//! remembered, and so is an answer of the fake's own. Beyond that it only counts: who may do what by which token.

mod checks;
mod deliveries;
mod deployments;
mod description;
mod key;
mod manifests;
mod routes;
mod statuses;
mod tokens;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use chrono::{TimeDelta, Utc};
use http::StatusCode;
use serde_json::{Value, json};

pub use deliveries::NewDelivery;
pub use key::{PrivateKey, app_key};
pub use manifests::{CLIENT_SECRET, WEBHOOK_SECRET};

/// The App's number.
pub const APP_ID: u64 = 4711;
/// The installation that there is.
pub const INSTALLATION: u64 = 77;
/// The repository that it is installed in, `alice/hello`.
pub const REPO_ID: u64 = 9;
/// A fixed token that may do everything.
pub const FIXED_TOKEN: &str = "fixed-token-of-tests";

/// An answer that is given instead of, or after, doing the work.
#[derive(Debug, Clone)]
pub struct Refusal {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    text: String,
    after_the_work: bool,
}

impl Refusal {
    /// This status, without doing the work.
    pub fn new(status: StatusCode, text: &str) -> Self {
        Self { status, headers: Vec::new(), text: json!({ "message": text }).to_string(), after_the_work: false }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// Does the work all the same, as when a proxy loses the answer.
    #[must_use]
    pub fn after_the_work(mut self) -> Self {
        self.after_the_work = true;
        self
    }
}

struct Kept {
    permissions: BTreeMap<String, String>,
    token_life: TimeDelta,
    tokens: BTreeMap<String, tokens::Issued>,
    runs: Vec<Value>,
    statuses: Vec<Value>,
    deployments: Vec<Value>,
    deployment_statuses: Vec<(u64, Value)>,
    deliveries: Vec<Value>,
    manifests: Vec<(String, Value)>,
    codes: Vec<String>,
    last_id: u64,
    calls: Vec<String>,
    faults: Vec<String>,
    refusals: BTreeMap<String, VecDeque<Refusal>>,
}

/// A running GitHub. Cloning shares it; it stops with the test's runtime.
#[derive(Clone)]
pub struct FakeGithub {
    kept: Arc<Mutex<Kept>>,
    url: String,
}

impl std::fmt::Debug for FakeGithub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeGithub").field("url", &self.url).finish_non_exhaustive()
    }
}

impl FakeGithub {
    /// Starts one where nothing has been reported yet, with an App that has every permission.
    ///
    /// # Panics
    /// When no local port can be had.
    #[expect(clippy::expect_used, reason = "for tests")]
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("no local port");
        let url = format!("http://{}/api/v3", listener.local_addr().expect("a bound socket has an address"));
        let fake = Self { kept: Arc::new(Mutex::new(Kept::new())), url };
        let routes = Router::new().fallback(routes::answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        fake
    }

    /// The API's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address for browsers.
    pub fn site(&self) -> &str {
        self.url.trim_end_matches("/api/v3")
    }

    /// The manifests of Apps that somebody confirmed, each after the page's path.
    pub fn manifests(&self) -> Vec<(String, Value)> {
        self.kept().manifests.clone()
    }

    /// Ends all codes that were not exchanged yet, as an hour does.
    pub fn expire_codes(&self) {
        self.kept().codes.clear();
    }

    /// The variables by which the App finds this GitHub.
    pub fn app_vars(&self) -> Vec<(String, String)> {
        let id = ("github_app_id".to_owned(), APP_ID.to_string());
        vec![id, ("github_api_url".to_owned(), self.url.clone())]
    }

    /// The App's secret.
    pub fn app_secrets(&self) -> Vec<(String, String)> {
        vec![("private-key".to_owned(), app_key().pkcs1())]
    }

    /// Takes a permission from the installation, such as `deployments`.
    pub fn withdraw(&self, permission: &str) {
        self.kept().permissions.remove(permission);
    }

    /// How long new tokens are good for.
    pub fn set_token_life(&self, life: TimeDelta) {
        self.kept().token_life = life;
    }

    /// Ends all tokens, as when an installation is suspended and back.
    pub fn revoke_tokens(&self) {
        self.kept().tokens.clear();
    }

    /// Answers the next request of a described route, such as `POST /repos/{owner}/{repo}/check-runs`, like this.
    pub fn refuse_next(&self, route: &str, refusal: Refusal) {
        self.kept().refusals.entry(route.to_owned()).or_default().push_back(refusal);
    }

    /// The check runs, oldest first.
    pub fn runs(&self) -> Vec<Value> {
        self.kept().runs.clone()
    }

    /// Deletes all check runs.
    pub fn delete_runs(&self) {
        self.kept().runs.clear();
    }

    /// Adds a check run of another App's.
    pub fn add_foreign_run(&self, name: &str, sha: &str) {
        let mut kept = self.kept();
        let id = kept.next_id();
        let run = json!({"id": id, "name": name, "head_sha": sha, "status": "completed", "conclusion": "success"});
        kept.runs.push(checks::owned_by(run, APP_ID + 1));
    }

    /// The commit statuses, oldest first.
    pub fn statuses(&self) -> Vec<Value> {
        self.kept().statuses.clone()
    }

    /// The deployments, oldest first.
    pub fn deployments(&self) -> Vec<Value> {
        self.kept().deployments.clone()
    }

    /// A deployment's statuses, oldest first.
    pub fn deployment_statuses(&self, id: u64) -> Vec<Value> {
        let kept = self.kept();
        kept.deployment_statuses.iter().filter(|(of, _)| *of == id).map(|(_, status)| status.clone()).collect()
    }

    /// The calls since the last time, each as its described route's method and last words.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.kept().calls)
    }

    /// What did not keep to GitHub's description, in requests and in the fake's own answers.
    pub fn faults(&self) -> Vec<String> {
        self.kept().faults.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn new() -> Self {
        let all = [
            ("checks", "write"),
            ("contents", "read"),
            ("deployments", "write"),
            ("metadata", "read"),
            ("statuses", "write"),
        ];
        Self {
            permissions: all.iter().map(|(name, access)| ((*name).to_owned(), (*access).to_owned())).collect(),
            token_life: TimeDelta::hours(1),
            tokens: BTreeMap::new(),
            runs: Vec::new(),
            statuses: Vec::new(),
            deployments: Vec::new(),
            deployment_statuses: Vec::new(),
            deliveries: Vec::new(),
            manifests: Vec::new(),
            codes: Vec::new(),
            last_id: 100,
            calls: Vec::new(),
            faults: Vec::new(),
            refusals: BTreeMap::new(),
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// The present, as GitHub writes it.
fn now() -> String {
    Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
