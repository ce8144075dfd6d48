//! The function and a GitLab with the project `acme/team/hello`.

use axum::Router;
use gitlab_api::fake::{FakeGitlab, Project, TOKEN};
use http::StatusCode;
use sdk::event::Scm;
use sdk::fake_gateway::FakeGateway;
use sdk::id::FunctionName;
use sdk::status::{FunctionState, State, Status};
use serde_json::Value;
use tower::ServiceExt;

pub(crate) const SHA: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";
pub(crate) const POST: &str = "POST projects/15/statuses/6113728f27ae82c7b1a177c8d03f9e96e0adf246";
const PRETTY: &str = "https://user.example.com/function";

pub(crate) struct Setup {
    pub(crate) gateway: FakeGateway,
    pub(crate) gitlab: FakeGitlab,
    pub(crate) router: Router,
}

pub(crate) async fn setup() -> Setup {
    setup_with(&[("use_deployments", "false")]).await
}

pub(crate) async fn setup_with(vars: &[(&str, &str)]) -> Setup {
    let (gateway, gitlab) = (FakeGateway::start().await, FakeGitlab::start().await);
    gitlab.put_project(Project::new(15, "acme/team/hello", 71));
    let router = router(&gateway, &gitlab, vars);
    Setup { gateway, gitlab, router }
}

#[expect(clippy::unwrap_used, reason = "test helper")]
pub(crate) fn router(gateway: &FakeGateway, gitlab: &FakeGitlab, vars: &[(&str, &str)]) -> Router {
    let mut vars = vars.to_vec();
    vars.extend([("gitlab_instance", gitlab.url()), ("gateway_pretty_url", PRETTY)]);
    gitlab_status::router(&gateway.env(&vars, &[("gitlab-api-token", TOKEN)])).unwrap()
}

#[expect(clippy::unwrap_used, reason = "test helper")]
pub(crate) fn status(context: &str, state: State, at: u64) -> Status {
    Status {
        scm: Scm::Gitlab,
        host: "127.0.0.1".to_owned(),
        owner: "acme-team".parse().unwrap(),
        repo: "hello".parse().unwrap(),
        repo_id: 15,
        branch: "main".to_owned(),
        html_url: "https://gitlab.example/acme/team/hello".to_owned(),
        sha: SHA.parse().unwrap(),
        installation: 0,
        context: context.to_owned(),
        state,
        at,
        title: format!("{state:?}"),
        log: String::new(),
        url: None,
        annotations: Vec::new(),
        functions: Vec::new(),
    }
}

#[expect(clippy::unwrap_used, reason = "test helper")]
pub(crate) fn live(name: &str, url: &str) -> FunctionState {
    let name: FunctionName = name.parse().unwrap();
    FunctionState { url: Some(url.to_owned()), ..FunctionState::new(&name, State::Success, "live") }
}

impl Setup {
    #[expect(clippy::unwrap_used, reason = "test helper")]
    pub(crate) async fn send(&self, status: &Status) -> (StatusCode, String) {
        let request = self.gateway.signed("gitlab-status", status, "call-1");
        let response = self.router.clone().oneshot(request).await.unwrap();
        let code = response.status();
        let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (code, String::from_utf8(text.to_vec()).unwrap())
    }

    /// Reports states of one context, each a moment later than the one before.
    pub(crate) async fn report(&self, context: &str, states: &[State]) {
        for (at, state) in (1..).zip(states) {
            let answer = self.send(&status(context, *state, at)).await;
            assert_eq!(answer, (StatusCode::OK, "reported\n".to_owned()), "{state:?}");
        }
    }

    /// The states that a context of the commit went through at GitLab, one text for each status.
    pub(crate) fn histories(&self, name: &str) -> Vec<String> {
        let of = self.gitlab.statuses().into_iter().filter(|status| status["name"] == *name);
        of.map(|status| status["history"].as_str().unwrap_or_default().to_owned()).collect()
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    pub(crate) fn last(&self) -> Value {
        self.gitlab.statuses().pop().unwrap()
    }
}
