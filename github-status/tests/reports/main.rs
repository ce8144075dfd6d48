//! Statuses against the whole function, with a GitHub that keeps to GitHub's published description.

mod bodies;
mod checks;
mod commit_statuses;
mod deployments;
mod failures;
mod settings;

use axum::Router;
use github_app::fake_github::{FakeGithub, INSTALLATION, REPO_ID};
use http::StatusCode;
use sdk::event::Scm;
use sdk::fake_gateway::{FakeGateway, PAYLOAD_SECRET};
use sdk::status::{State, Status};
use serde_json::Value;
use tower::ServiceExt;

const SHA: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";
const REPORTED: (StatusCode, &str) = (StatusCode::OK, "reported\n");

/// A GitHub, and the function that reports to it as an App.
struct Lab {
    github: FakeGithub,
    gateway: FakeGateway,
    vars: Vec<(String, String)>,
    router: Router,
}

impl Lab {
    /// With these variables; checks only, unless they say otherwise.
    async fn start(vars: &[(&str, &str)]) -> Self {
        let github = FakeGithub::start().await;
        let gateway = FakeGateway::start().await;
        let mut all = gateway.vars(&[
            ("use_deployments", "false"),
            ("github_url", "https://github.com"),
            ("gateway_pretty_url", "https://user.example.com/function"),
        ]);
        all.extend(github.app_vars());
        all.retain(|(name, _)| !vars.iter().any(|(other, _)| other == name));
        all.extend(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let router = Self::router(&github, &all);
        Self { github, gateway, vars: all, router }
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    fn router(github: &FakeGithub, vars: &[(String, String)]) -> Router {
        let mut secrets = github.app_secrets();
        secrets.push(("payload-secret".to_owned(), PAYLOAD_SECRET.to_owned()));
        github_status::router(&sdk::Env::from_map(vars.to_vec(), secrets)).unwrap()
    }

    /// The function forgets all that it knows.
    fn restart(&mut self) {
        self.router = Self::router(&self.github, &self.vars);
    }

    async fn send(&self, status: &Status) -> (StatusCode, String) {
        self.send_in("call-1", status).await
    }

    async fn send_in(&self, call: &str, status: &Status) -> (StatusCode, String) {
        send(&self.gateway, &self.router, call, status).await
    }

    /// Sends statuses of one context that are all taken.
    async fn told(&self, call: &str, statuses: &[Status]) {
        for status in statuses {
            let (code, text) = self.send_in(call, status).await;
            assert_eq!((code, text.as_str()), REPORTED, "{:?}", status.state);
        }
    }

    fn run(&self, number: usize) -> Value {
        self.github.runs()[number].clone()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.github.faults(), [""; 0], "requests that GitHub does not describe");
        }
    }
}

#[expect(clippy::unwrap_used, reason = "test helper")]
async fn send(
    gateway: &FakeGateway,
    router: &Router,
    call: &str,
    message: &(impl serde::Serialize + Sync),
) -> (StatusCode, String) {
    let request = gateway.signed("github-status", message, call);
    let response = router.clone().oneshot(request).await.unwrap();
    let code = response.status();
    let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (code, String::from_utf8(text.to_vec()).unwrap())
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn status(context: &str, state: State, title: &str) -> Status {
    Status {
        scm: Scm::Github,
        repo_id: REPO_ID,
        branch: "main".to_owned(),
        html_url: "https://github.com/alice/hello".to_owned(),
        host: "github.com".to_owned(),
        owner: "alice".parse().unwrap(),
        repo: "hello".parse().unwrap(),
        sha: SHA.parse().unwrap(),
        installation: INSTALLATION,
        context: context.to_owned(),
        state,
        title: title.to_owned(),
        log: String::new(),
        url: None,
        annotations: Vec::new(),
        functions: Vec::new(),
        at: 0,
    }
}
