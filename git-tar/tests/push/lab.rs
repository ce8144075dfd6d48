//! A repository, a git host, a gateway and git-tar between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use axum::Router;
use http::StatusCode;
use sdk::Env;
use sdk::deploy::{DeployOrder, ORDER_ENTRY, OrderImage};
use sdk::event::PushEvent;
use sdk::fake_gateway::FakeGateway;
use sdk::gateway::FunctionStatus;
use sdk::labels;
use sdk::status::{State, Status};
use tower::ServiceExt;

use crate::git_server::GitServer;

/// A stack with one function `hello` on the template `py`.
pub(crate) const STACK: &str = "version: 1.0\nprovider:\n  name: openfaas\nfunctions:\n  hello:\n    lang: py\n    handler: ./hello\n    image: hello\n";

pub(crate) struct Lab {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) gateway: FakeGateway,
    pub(crate) git: GitServer,
    pub(crate) vars: Vec<(String, String)>,
    secrets: Vec<(String, String)>,
    router: Option<Router>,
}

/// What buildshiprun was sent.
pub(crate) struct Order {
    pub(crate) order: DeployOrder,
    /// The paths after the order.
    pub(crate) paths: Vec<String>,
    /// Contents by path.
    pub(crate) files: BTreeMap<String, String>,
}

impl Lab {
    /// A lab whose templates are `py` and `sh`, and the repository alice/app with a function `hello`.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for lang in ["py", "sh"] {
            write(&dir.path().join("templates").join(lang), "Dockerfile", "FROM scratch\n");
            write(
                &dir.path().join("templates").join(lang),
                "template.yml",
                &format!("language: {lang}\nfprocess: run {lang}\n"),
            );
        }
        let gateway = FakeGateway::start().await;
        gateway.answer_with("import-secrets", |_| (StatusCode::NOT_FOUND, "no such function".to_owned()));
        let git = GitServer::start(&dir.path().join("git")).await;
        let at = |name: &str| dir.path().join(name).display().to_string();
        let vars = vec![
            ("git_hosts".to_owned(), format!("git.localhost={}", git.url)),
            ("template_directory".to_owned(), at("templates")),
            ("work_directory".to_owned(), at("work")),
            ("cache_directory".to_owned(), at("cache")),
        ];
        let lab = Self { dir, gateway, git, vars, secrets: Vec::new(), router: None };
        lab.init("alice/app.git");
        lab.write("stack.yml", STACK);
        lab.write("hello/handler.py", "print('hello')\n");
        lab
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.vars.retain(|(known, _)| known != name);
        self.vars.push((name.to_owned(), value.into()));
        self.router = None;
    }

    pub(crate) fn set_secret(&mut self, name: &str, value: &str) {
        self.secrets.push((name.to_owned(), value.to_owned()));
        self.router = None;
    }

    pub(crate) fn repository(&self, path: &str) -> PathBuf {
        self.dir.path().join("git").join(path)
    }

    pub(crate) fn init(&self, path: &str) {
        let folder = self.repository(path);
        std::fs::create_dir_all(&folder).unwrap();
        git(&folder, &["init", "--quiet", "--initial-branch=main"]);
    }

    /// Writes into the work tree of alice/app.
    pub(crate) fn write(&self, path: &str, content: &str) {
        write(&self.repository("alice/app.git"), path, content);
    }

    pub(crate) fn link(&self, target: &str, path: &str) {
        let path = self.repository("alice/app.git").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// Commits everything in alice/app, and tells of it.
    pub(crate) fn commit(&self) -> PushEvent {
        self.event(&commit(&self.repository("alice/app.git")))
    }

    pub(crate) fn event(&self, sha: &str) -> PushEvent {
        serde_json::from_value(serde_json::json!({
            "host": "git.localhost", "owner": "alice", "owner_id": 7, "repo": "app", "repo_id": 11, "private": false,
            "branch": "main", "default_branch": "main", "sha": sha, "html_url": "http://git.localhost/alice/app",
            "installation": 0, "pusher": "alice",
        }))
        .unwrap()
    }

    pub(crate) fn env(&self) -> Env {
        let secrets: Vec<_> = self.secrets.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // A later variable wins: a test may put something in front of the gateway.
        let vars = self.gateway.vars(&[]).into_iter().chain(self.vars.clone());
        Env::from_map(vars, self.gateway.secrets(&secrets))
    }

    /// git-tar, the same one until a setting changes.
    pub(crate) fn router(&mut self) -> Router {
        let env = self.env();
        self.router.get_or_insert_with(|| git_tar::router(&env).unwrap()).clone()
    }

    pub(crate) async fn run(&mut self, event: &PushEvent) -> (StatusCode, String) {
        let router = self.router();
        run(router, &self.gateway, event).await
    }

    pub(crate) async fn push(&mut self) -> (StatusCode, String) {
        let event = self.commit();
        self.run(&event).await
    }

    /// The push is refused for good: a 4xx answer, the same sentence in a failed status and in the audit trail,
    /// nothing sent, nothing collected, nothing left on disk. The sentence.
    pub(crate) async fn refused(&mut self) -> String {
        let event = self.commit();
        self.refused_event(&event).await
    }

    pub(crate) async fn refused_event(&mut self, event: &PushEvent) -> String {
        let before = self.gateway.messages("buildshiprun").len();
        let (status, answer) = self.run(event).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        let last = self.status("stack-deploy").expect("a status");
        assert_eq!(last.state, State::Failure);
        let start: String = answer.chars().take(150).collect();
        assert!(last.title.starts_with(start.trim_end()), "{} / {answer}", last.title);
        let audits = self.gateway.messages("audit-event");
        let audit: serde_json::Value = audits.last().expect("an audit line").read();
        assert_eq!(audit["message"], answer.as_str());
        let told = ["source", "owner", "repo", "sha", "actor", "call_id"].map(|field| audit[field].as_str());
        let (owner, repo, sha) = (event.owner.as_str(), event.repo.as_str(), event.sha.as_str());
        assert_eq!(told, ["git-tar", owner, repo, sha, "alice", "call-1"].map(Some));
        assert_eq!(self.gateway.messages("buildshiprun").len(), before);
        assert!(self.gateway.messages("garbage-collect").is_empty());
        self.nothing_left();
        answer
    }

    pub(crate) fn nothing_left(&self) {
        let left: Vec<_> =
            std::fs::read_dir(self.dir.path().join("work")).unwrap().flatten().map(|entry| entry.path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    pub(crate) fn statuses(&self) -> Vec<Status> {
        self.gateway.messages("github-status").iter().map(|message| message.read()).collect()
    }

    /// The last status of a context.
    pub(crate) fn status(&self, context: &str) -> Option<Status> {
        self.statuses().into_iter().rev().find(|status| status.context == context)
    }

    pub(crate) fn orders(&self) -> Vec<Order> {
        self.gateway.messages("buildshiprun").iter().map(|message| read_order(&message.body)).collect()
    }

    /// Makes the gateway hold what was ordered so far, as buildshiprun would have left it.
    pub(crate) fn deploy_orders(&self) {
        for Order { order, .. } in self.orders() {
            self.gateway.put_function(deployed(&order));
        }
    }
}

/// What a deployed order looks like at the gateway.
pub(crate) fn deployed(order: &DeployOrder) -> FunctionStatus {
    let labels = [
        (labels::GIT_OWNER_ID, order.event.owner_id.to_string()),
        (labels::GIT_SCM, order.event.host.clone()),
        (labels::GIT_REPO, order.event.repo.to_string()),
        (labels::BUILD_DIGEST, order.build_digest.clone()),
        (labels::DEPLOY_DIGEST, order.deploy_digest.clone()),
    ];
    let image = match &order.image {
        OrderImage::Build(name) => format!("{name}@sha256:{}", "1".repeat(64)),
        OrderImage::Existing(name) => name.clone(),
    };
    FunctionStatus {
        name: format!("{}-{}", order.event.owner, order.function),
        image,
        labels: labels.map(|(name, value)| (name.to_owned(), value)).into(),
        ..FunctionStatus::default()
    }
}

pub(crate) async fn run(router: Router, gateway: &FakeGateway, event: &PushEvent) -> (StatusCode, String) {
    let response = router.oneshot(gateway.signed("git-tar", event, "call-1")).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap().trim_end().to_owned())
}

pub(crate) fn read_order(body: &[u8]) -> Order {
    let mut order = None;
    let (mut paths, mut files) = (Vec::new(), BTreeMap::new());
    for entry in tar::Archive::new(body).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        if order.is_none() {
            assert_eq!(path, ORDER_ENTRY, "the order comes first");
            order = Some(serde_json::from_slice(&content).unwrap());
            continue;
        }
        files.insert(path.clone(), String::from_utf8_lossy(&content).into_owned());
        paths.push(path);
    }
    Order { order: order.unwrap(), paths, files }
}

pub(crate) fn write(folder: &Path, path: &str, content: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

pub(crate) fn commit(folder: &Path) -> String {
    git(folder, &["add", "--all", "--force", "."]);
    git(folder, &["commit", "--quiet", "--allow-empty", "-m", "x"]);
    git(folder, &["rev-parse", "HEAD"]).trim().to_owned()
}

pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", "-c", "gc.auto=0"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
