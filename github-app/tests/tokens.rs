//! The App's own token and its installations'.

use chrono::TimeDelta;
use github_app::fake_github::{APP_ID, FIXED_TOKEN, FakeGithub, INSTALLATION, PrivateKey, REPO_ID, Refusal, app_key};
use github_app::{App, Call, Client, GithubError, Permission, Scope};
use http::{Method, StatusCode};
use sdk::Env;
use secrecy::ExposeSecret;

const ISSUE: &str = "POST /app/installations/{installation_id}/access_tokens";

fn env(github: &FakeGithub) -> Env {
    Env::from_map(github.app_vars(), github.app_secrets())
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn app(github: &FakeGithub) -> App {
    App::read(&env(github).reader()).unwrap().unwrap()
}

fn checks() -> Scope {
    Scope::new([Permission::Checks], REPO_ID, "hello")
}

fn list<'a>() -> Call<'a> {
    let path = ["repos", "alice", "hello", "commits", "abc", "check-runs"];
    Call::new("the list of check runs", Method::GET, path)
}

#[tokio::test]
async fn a_token_is_asked_for_once_while_it_lasts() {
    let github = FakeGithub::start().await;
    let app = app(&github);
    let one = app.token(INSTALLATION, &checks()).await.unwrap();
    let two = app.clone().token(INSTALLATION, &checks()).await.unwrap();
    assert_eq!(one.expose_secret(), two.expose_secret());
    let other = app.token(INSTALLATION, &Scope::new([Permission::Contents], REPO_ID, "hello")).await.unwrap();
    assert_ne!(one.expose_secret(), other.expose_secret());
    assert_eq!(github.calls(), ["POST access_tokens", "POST access_tokens"]);
    assert_eq!(github.faults(), [""; 0]);
}

#[tokio::test]
async fn fifty_who_need_one_at_the_same_time_are_one_request() {
    let github = FakeGithub::start().await;
    let app = app(&github);
    let asked = (0..50).map(|_| {
        let app = app.clone();
        tokio::spawn(async move { app.token(INSTALLATION, &checks()).await.map(|t| t.expose_secret().to_owned()) })
    });
    let mut tokens = Vec::new();
    for task in asked.collect::<Vec<_>>() {
        tokens.push(task.await.unwrap().unwrap());
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    assert_eq!(github.calls(), ["POST access_tokens"]);
}

#[tokio::test]
async fn a_token_in_its_last_minutes_is_renewed() {
    let github = FakeGithub::start().await;
    github.set_token_life(TimeDelta::minutes(4));
    let app = app(&github);
    app.token(INSTALLATION, &checks()).await.unwrap();
    github.set_token_life(TimeDelta::minutes(6));
    let longer = app.token(INSTALLATION, &checks()).await.unwrap();
    let same = app.token(INSTALLATION, &checks()).await.unwrap();
    assert_eq!(longer.expose_secret(), same.expose_secret());
    assert_eq!(github.calls().len(), 2);
}

#[tokio::test]
async fn a_revoked_token_is_renewed_once() {
    let github = FakeGithub::start().await;
    let client = Client::read(&env(&github).reader()).unwrap().unwrap();
    client.send(&list(), INSTALLATION, &checks()).await.unwrap();
    github.revoke_tokens();
    client.send(&list(), INSTALLATION, &checks()).await.unwrap();
    let expected = ["POST access_tokens", "GET check-runs", "GET check-runs", "POST access_tokens", "GET check-runs"];
    assert_eq!(github.calls(), expected);
    for _ in 0..2 {
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "Bad credentials");
        github.refuse_next("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", refusal);
    }
    let error = client.send(&list(), INSTALLATION, &checks()).await.unwrap_err();
    assert_eq!((error.status(), error.is_worth_a_retry()), (Some(StatusCode::UNAUTHORIZED), false));
}

#[tokio::test]
async fn a_refusal_says_the_operation_and_is_not_kept() {
    let github = FakeGithub::start().await;
    let app = app(&github);
    let gone = app.token(INSTALLATION + 1, &checks()).await.unwrap_err();
    assert!(gone.is_not_found() && !gone.is_worth_a_retry(), "{gone}");
    assert!(gone.to_string().contains("a request for an installation's token"), "{gone}");
    github.withdraw("checks");
    let error = app.token(INSTALLATION, &checks()).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::UNPROCESSABLE_ENTITY));
    let none = app.token(0, &checks()).await.unwrap_err();
    assert!(matches!(none, GithubError::NoInstallation { .. }) && !none.is_worth_a_retry());
    github.refuse_next(ISSUE, Refusal::new(StatusCode::OK, "no token in here"));
    let malformed = app.token(INSTALLATION, &checks()).await.unwrap_err();
    assert!(matches!(malformed, GithubError::Malformed { .. }), "{malformed}");
}

#[tokio::test]
async fn another_key_is_not_the_apps() {
    let github = FakeGithub::start().await;
    for (pem, fine) in [(app_key().pkcs8(), true), (app_key().pkcs1(), true), (PrivateKey::generate().pkcs1(), false)] {
        let env = Env::from_map(github.app_vars(), [("private-key", pem)]);
        let app = App::read(&env.reader()).unwrap().unwrap();
        assert_eq!(app.token(INSTALLATION, &checks()).await.is_ok(), fine);
        assert_eq!(app.number(), Some(APP_ID));
    }
}

#[tokio::test]
async fn a_fixed_token_serves_every_scope_and_an_app_comes_first() {
    let github = FakeGithub::start().await;
    let vars = [("github_api_url", github.url())];
    let fixed = Env::from_map(vars, [("github-token", FIXED_TOKEN)]);
    let client = Client::read(&fixed.reader()).unwrap().unwrap();
    client.send(&list(), 0, &checks()).await.unwrap();
    assert!(client.app().is_none());
    assert_eq!(client.token(0, &checks()).await.unwrap().expose_secret(), FIXED_TOKEN);
    let mut both = github.app_secrets();
    both.push(("github-token".to_owned(), FIXED_TOKEN.to_owned()));
    let client = Client::read(&Env::from_map(github.app_vars(), both).reader()).unwrap().unwrap();
    assert!(client.app().is_some());
}

#[tokio::test]
async fn nothing_that_is_shown_holds_a_secret() {
    let github = FakeGithub::start().await;
    let app = app(&github);
    let token = app.token(INSTALLATION, &checks()).await.unwrap();
    let fixed = Client::with_token(app.api().clone(), FIXED_TOKEN.into());
    let shown = format!("{app:?} {fixed:?} {token:?} {:?}", app.jwt().unwrap());
    for secret in [token.expose_secret(), FIXED_TOKEN, "eyJ", "BEGIN"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn many_with_a_revoked_token_share_the_new_one() {
    let github = FakeGithub::start().await;
    let client = Client::read(&env(&github).reader()).unwrap().unwrap();
    client.send(&list(), INSTALLATION, &checks()).await.unwrap();
    github.revoke_tokens();
    github.calls();
    let all = (0..20).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.send(&list(), INSTALLATION, &checks()).await.map(drop) })
    });
    for task in all.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    assert_eq!(github.calls().iter().filter(|call| *call == "POST access_tokens").count(), 1);
}
