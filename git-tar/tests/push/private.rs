//! Private repositories: a token for just the one that is read, as a header, to its host, and nowhere else.

use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine;
use github_app::fake_github::{FakeGithub, INSTALLATION, REPO_ID, Refusal};
use http::StatusCode;
use sdk::event::{PushEvent, Scm};

use crate::gate::Gate;
use crate::git_server::Manners;
use crate::lab::Lab;

/// The fake's first token.
const TOKEN: &str = "ghs_101";
const TOKENS: &str = "POST /app/installations/{installation_id}/access_tokens";

fn basic(user: &str, token: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{token}")))
}

fn expects(lab: &Lab, user: &str, token: &str) {
    lab.git.behave(Manners { authorization: Some(basic(user, token)), ..Manners::default() });
}

/// A lab whose host is a GitHub with an App.
async fn with_app() -> (Lab, FakeGithub) {
    let (mut lab, github) = (Lab::new().await, FakeGithub::start().await);
    for (name, value) in github.app_vars() {
        lab.set(&name, value);
    }
    for (name, value) in github.app_secrets() {
        lab.set_secret(&name, &value);
    }
    lab.set("github_url", "http://git.localhost");
    (lab, github)
}

fn private(event: PushEvent) -> PushEvent {
    PushEvent { private: true, installation: INSTALLATION, repo_id: REPO_ID, ..event }
}

/// Everything that is logged in this thread, of every library.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Logged {
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let logged = Self::default();
        let writer = logged.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        (logged, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// True if a file below the folder, or a file's name, has the text.
fn is_on_disk(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let named = entry.file_name().to_string_lossy().contains(text);
        let path = entry.path();
        named
            || if path.is_dir() {
                is_on_disk(&path, text)
            } else {
                std::fs::read(&path)
                    .is_ok_and(|content| content.windows(text.len()).any(|part| part == text.as_bytes()))
            }
    })
}

#[tokio::test]
async fn are_read_under_a_token_that_is_seen_nowhere() {
    let (mut lab, github) = with_app().await;
    let gate = Gate::start(&mut lab).await;
    let event = private(lab.commit());
    expects(&lab, "x-access-token", TOKEN);
    let (logged, _guard) = Logged::start();
    let (router, gateway) = (lab.router(), lab.gateway.clone());
    let running = tokio::spawn(async move { crate::lab::run(router, &gateway, &event).await });
    gate.one_arrives().await;
    let encoded = basic("x-access-token", TOKEN).replace("Basic ", "");
    for secret in [TOKEN, &encoded, "PRIVATE KEY"] {
        assert!(!is_on_disk(&lab.dir.path().join("work"), secret), "{secret}");
        assert!(!is_on_disk(&lab.dir.path().join("cache"), secret), "{secret}");
    }
    gate.leave.add_permits(10);
    let (status, answer) = running.await.unwrap();
    assert_eq!(status, StatusCode::OK, "{answer}");
    let text = logged.text();
    assert!(text.contains("push finished"), "the log is looked at");
    let told: Vec<Vec<u8>> = ["github-status", "audit-event", "buildshiprun", "garbage-collect"]
        .into_iter()
        .flat_map(|function| lab.gateway.messages(function))
        .map(|message| message.body)
        .collect();
    for secret in [TOKEN, encoded.as_str()] {
        assert!(!text.contains(secret), "a log has {secret}");
        assert!(told.iter().all(|body| !String::from_utf8_lossy(body).contains(secret)));
        assert!(lab.git.headers().iter().all(|(path, _)| !path.contains(secret)));
    }
    assert_eq!(github.calls(), ["POST access_tokens"].map(str::to_owned));
    assert!(github.faults().is_empty(), "{:?}", github.faults());
}

#[tokio::test]
async fn share_a_token_until_it_is_taken_back() {
    let (mut lab, github) = with_app().await;
    expects(&lab, "x-access-token", TOKEN);
    for _ in 0..2 {
        let event = private(lab.commit());
        assert_eq!(lab.run(&event).await.0, StatusCode::OK);
    }
    assert_eq!(github.calls().len(), 1);
    github.revoke_tokens();
    expects(&lab, "x-access-token", "ghs_102");
    let event = private(lab.commit());
    assert_eq!(lab.run(&event).await.0, StatusCode::OK, "one that is not taken any more is made anew");
    expects(&lab, "x-access-token", "another");
    let event = private(lab.commit());
    let (status, answer) = lab.run(&event).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.ends_with("the git host answered 401 Unauthorized"), "{answer}");
}

#[tokio::test]
async fn of_public_repositories_and_other_hosts_get_no_token() {
    let (mut lab, github) = with_app().await;
    let public = PushEvent { private: false, ..private(lab.commit()) };
    assert_eq!(lab.run(&public).await.0, StatusCode::OK);
    let no_installation = PushEvent { installation: 0, ..private(lab.commit()) };
    assert_eq!(lab.run(&no_installation).await.0, StatusCode::OK);
    lab.set("git_hosts", format!("git.localhost={0},other.localhost={0}", lab.git.url));
    let other = PushEvent { host: "other.localhost".to_owned(), ..private(lab.commit()) };
    assert_eq!(lab.run(&other).await.0, StatusCode::OK);
    let gitlab = PushEvent { scm: Scm::Gitlab, ..private(lab.commit()) };
    assert_eq!(lab.run(&gitlab).await.0, StatusCode::OK);
    assert!(lab.git.headers().iter().all(|(_, headers)| !headers.contains_key("authorization")));
    assert!(github.calls().is_empty());
}

#[tokio::test]
async fn whose_token_github_does_not_give_say_so() {
    let (mut lab, github) = with_app().await;
    let event = private(lab.commit());
    let gone = PushEvent { installation: 1, ..event.clone() };
    let sentence = lab.refused_event(&gone).await;
    assert!(
        sentence
            .starts_with("alice/app is private, and GitHub answered a request for an installation's token with 404"),
        "{sentence}"
    );
    for _ in 0..3 {
        github.refuse_next(TOKENS, Refusal::new(StatusCode::BAD_GATEWAY, "down"));
    }
    let (status, answer) = lab.run(&event).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{answer}");
    assert_eq!(lab.git.requests(), 0);
    expects(&lab, "x-access-token", TOKEN);
    assert_eq!(lab.run(&event).await.0, StatusCode::OK);
}

#[tokio::test]
async fn of_gitlab_are_read_as_oauth2_by_their_full_path_at_the_configured_instance_only() {
    let mut lab = Lab::new().await;
    let instance = lab.git.url.clone();
    lab.set("git_hosts", "elsewhere.localhost=http://127.0.0.1:9");
    lab.set("gitlab_instance", &instance);
    lab.set_secret("gitlab-api-token", "glpat-secret");
    std::fs::create_dir_all(lab.repository("Acme")).unwrap();
    std::os::unix::fs::symlink(lab.repository("alice"), lab.repository("Acme/team")).unwrap();
    let event = PushEvent {
        scm: Scm::Gitlab,
        host: "127.0.0.1".to_owned(),
        path: Some("Acme/team/app".parse().unwrap()),
        private: true,
        ..lab.commit()
    };
    expects(&lab, "oauth2", "glpat-secret");
    let (status, answer) = lab.run(&event).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(lab.git.headers().iter().all(|(path, _)| path.starts_with("/Acme/team/app.git/")));
    let s39 = PushEvent { host: "elsewhere.localhost".to_owned(), ..event.clone() };
    let before = lab.git.requests();
    assert_eq!(lab.run(&s39).await.0, StatusCode::BAD_GATEWAY, "nobody is there, and nobody is told a token");
    let github = PushEvent { scm: Scm::Github, ..event };
    lab.git.behave(Manners::default());
    lab.run(&github).await;
    let seen = lab.git.headers();
    assert!(seen[before..].iter().all(|(_, headers)| !headers.contains_key("authorization")));
}

#[test]
fn half_a_configuration_is_named() {
    let error = |vars: &[(&str, &str)], secrets: &[(&str, &str)]| {
        let env = sdk::Env::from_map(vars.iter().copied(), secrets.iter().copied());
        git_tar::router(&env).unwrap_err().to_string()
    };
    assert!(error(&[("a", "b")], &[("gitlab-api-token", "t")]).contains("gitlab_instance"));
    assert!(error(&[("gitlab_instance", "ftp://x")], &[("a", "b")]).contains("gitlab_instance"));
    assert!(error(&[("github_app_id", "1")], &[("a", "b")]).contains("private-key"));
}
