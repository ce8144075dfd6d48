//! A GitLab for tests: it keeps projects, commit statuses, environments and deployments in memory, and has the routes
//! that this project calls, below the path `/gitlab`.
//!
//! It takes the parameters that GitLab's documentation has, and no others; it knows which transitions a status may
//! make, and refuses the others in GitLab's words.

mod deployments;
mod project;
mod statuses;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use http::StatusCode;
use serde_json::{Value, json};

pub use project::Project;

/// The token that the fake takes.
pub const TOKEN: &str = "gitlab-token-of-tests";
/// Where it is below its host.
const PATH: &str = "/gitlab";

/// An answer that is given instead of doing the work.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: String,
}

impl Fault {
    /// An answer with a status and a text.
    pub fn new(status: StatusCode, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned() }
    }

    /// 429 with `Retry-After`.
    pub fn busy(seconds: u64) -> Self {
        let headers = vec![("retry-after", seconds.to_string())];
        Self { headers, ..Self::new(StatusCode::TOO_MANY_REQUESTS, r#"{"message":"429 Too Many Requests"}"#) }
    }
}

#[derive(Default)]
struct Kept {
    projects: BTreeMap<u64, Project>,
    namespaces: BTreeMap<String, u64>,
    pipelines: Vec<statuses::Pipeline>,
    statuses: Vec<Value>,
    environments: Vec<Value>,
    deployments: Vec<Value>,
    requests: Vec<String>,
    faults: BTreeMap<String, VecDeque<Fault>>,
}

/// A running GitLab. Cloning shares it; it stops with the test's runtime.
#[derive(Clone)]
pub struct FakeGitlab {
    kept: Arc<Mutex<Kept>>,
    url: String,
}

impl FakeGitlab {
    /// Starts an empty GitLab.
    ///
    /// # Panics
    /// When no local port can be had.
    #[expect(clippy::expect_used, reason = "for tests")]
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("no local port");
        let url = format!("http://{}{PATH}", listener.local_addr().expect("a bound socket has an address"));
        let fake = Self { kept: Arc::default(), url };
        let routes = Router::new()
            .route("/projects/{id}", get(project::get))
            .route("/namespaces/{path}", get(project::namespace))
            .route("/projects/{id}/statuses/{sha}", post(statuses::post))
            .route("/projects/{id}/environments", get(deployments::environments).post(deployments::add_environment))
            .route("/projects/{id}/environments/{number}", put(deployments::change_environment))
            .route("/projects/{id}/deployments", get(deployments::list).post(deployments::add))
            .route("/projects/{id}/deployments/{number}", put(deployments::change))
            .layer(from_fn_with_state(fake.clone(), admit))
            .with_state(fake.clone());
        let routes = Router::new().nest(&format!("{PATH}/api/v4"), routes);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        fake
    }

    /// For `gitlab_instance`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes a project, or changes it.
    pub fn put_project(&self, project: Project) {
        self.kept().projects.insert(project.id, project);
    }

    /// Makes a user or a group at the top.
    pub fn put_namespace(&self, path: &str, id: u64) {
        self.kept().namespaces.insert(path.to_owned(), id);
    }

    /// Destroys a project.
    pub fn remove_project(&self, id: u64) {
        self.kept().projects.remove(&id);
    }

    /// Answers the next request of a route, for example `GET projects/7`, with a fault. Several wait in a row.
    pub fn fail_next(&self, route: &str, fault: Fault) {
        self.kept().faults.entry(route.to_owned()).or_default().push_back(fault);
    }

    /// The requests since the last question, as `GET projects/7`.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.kept().requests)
    }

    /// Starts a pipeline of the project's own, as its `.gitlab-ci.yml` would some time after a push.
    pub fn start_pipeline(&self, project: u64, sha: &str, branch: &str) {
        statuses::start(&mut self.kept().pipelines, project, sha, branch);
    }

    /// Deletes a pipeline, as a maintainer may.
    pub fn remove_pipeline(&self, id: u64) {
        statuses::remove(&mut self.kept().pipelines, id);
    }

    /// All commit statuses, oldest first; one that went from state to state is one.
    pub fn statuses(&self) -> Vec<Value> {
        self.kept().statuses.clone()
    }

    /// All environments.
    pub fn environments(&self) -> Vec<Value> {
        self.kept().environments.clone()
    }

    /// All deployments, oldest first.
    pub fn deployments(&self) -> Vec<Value> {
        self.kept().deployments.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks the token, notes the request, and lets a fault take its place.
async fn admit(State(fake): State<FakeGitlab>, request: Request, next: Next) -> Response {
    let route = format!("{} {}", request.method(), request.uri().path().trim_start_matches('/'));
    let token = request.headers().get("private-token").cloned();
    let fault = {
        let mut kept = fake.kept();
        kept.requests.push(route.clone());
        kept.faults.get_mut(&route).and_then(VecDeque::pop_front)
    };
    if token.is_none_or(|token| token != TOKEN) {
        return refusal(StatusCode::UNAUTHORIZED, "401 Unauthorized");
    }
    let Some(fault) = fault else { return next.run(request).await };
    let mut response = (fault.status, fault.body).into_response();
    for (name, value) in fault.headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// As GitLab refuses.
fn refusal(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(json!({"message": message}))).into_response()
}

fn not_found(what: &str) -> Response {
    refusal(StatusCode::NOT_FOUND, &format!("404 {what} Not Found"))
}

/// Refuses parameters that the documentation does not have, and the absence of those that it demands.
fn check(body: &Value, required: &[&str], optional: &[&str]) -> Result<(), Box<Response>> {
    let Some(fields) = body.as_object() else { return Err(Box::new(bad("the body is no JSON object"))) };
    if let Some(missing) = required.iter().find(|name| fields.get(**name).is_none_or(Value::is_null)) {
        return Err(Box::new(bad(&format!("{missing} is missing"))));
    }
    let known = |name: &String| required.contains(&name.as_str()) || optional.contains(&name.as_str());
    match fields.keys().find(|name| !known(name)) {
        Some(unknown) => Err(Box::new(bad(&format!("{unknown} is no parameter")))),
        None => Ok(()),
    }
}

fn bad(message: &str) -> Response {
    refusal(StatusCode::BAD_REQUEST, message)
}
