//! Hosts of all manners.

use http::StatusCode;
use sdk::status::State;

use crate::git_server::Manners;
use crate::lab::{Lab, git};

#[tokio::test]
async fn a_push_costs_two_requests() {
    let mut lab = Lab::new().await;
    lab.push().await;
    assert_eq!(lab.git.requests(), 2, "{:?}", lab.git.headers());
}

#[tokio::test]
async fn old_hosts_are_spoken_to_in_version_0() {
    let mut lab = Lab::new().await;
    lab.git.behave(Manners { version_0: true, ..Manners::default() });
    let (status, answer) = lab.push().await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(lab.orders().len(), 1);
    let old = lab.event(&"ab".repeat(20));
    assert!(lab.run(&old).await.1.starts_with("superseded by "), "such a host cannot tell");
}

#[tokio::test]
async fn superseded_pushes_are_neutral_and_stop() {
    let mut lab = Lab::new().await;
    let old = lab.commit();
    let new = lab.commit();
    let (status, answer) = lab.run(&old).await;
    assert_eq!((status, answer), (StatusCode::OK, format!("superseded by {}", new.sha.short())));
    let last = lab.status("stack-deploy").unwrap();
    assert_eq!((last.state, last.sha), (State::Neutral, old.sha));
    assert!(lab.orders().is_empty());
}

#[tokio::test]
async fn a_forced_push_supersedes_too() {
    let mut lab = Lab::new().await;
    let old = lab.commit();
    git(&lab.repository("alice/app.git"), &["commit", "--quiet", "--amend", "-m", "other"]);
    let (status, answer) = lab.run(&old).await;
    assert!(status == StatusCode::OK && answer.starts_with("superseded by "), "{answer}");
}

#[tokio::test]
async fn a_deleted_branch_is_neutral() {
    let mut lab = Lab::new().await;
    let mut event = lab.commit();
    event.branch = "gone".to_owned();
    let (status, answer) = lab.run(&event).await;
    assert_eq!((status, answer.as_str()), (StatusCode::OK, "the branch gone is no longer there: nothing to deploy"));
    let audit: serde_json::Value = lab.gateway.messages("audit-event").last().unwrap().read();
    assert_eq!(audit["message"], "the branch gone is no longer there: nothing to deploy");
    let deleted = lab.event(&"0".repeat(40));
    assert_eq!(lab.run(&deleted).await.0, StatusCode::OK);
    assert_eq!(lab.status("stack-deploy").unwrap().state, State::Neutral);
    assert!(lab.gateway.messages("garbage-collect").is_empty());
}

#[tokio::test]
async fn other_branches_of_similar_names_are_told_apart() {
    let mut lab = Lab::new().await;
    let event = lab.commit();
    git(&lab.repository("alice/app.git"), &["branch", "main2"]);
    git(&lab.repository("alice/app.git"), &["branch", "a/main"]);
    assert_eq!(lab.run(&event).await.0, StatusCode::OK);
    assert_eq!(lab.orders().len(), 1);
}

#[tokio::test]
async fn the_token_goes_to_its_host_only_and_as_a_header() {
    let mut lab = Lab::new().await;
    lab.git
        .behave(Manners { authorization: Some("Basic eC1hY2Nlc3MtdG9rZW46c2VjcmV0".to_owned()), ..Manners::default() });
    let event = lab.commit();
    assert_eq!(lab.refused_event(&event).await, "alice/app: the git host answered 401 Unauthorized");
    lab.set("git_token_host", "git.localhost");
    lab.set_secret("git-platform-token", "secret");
    assert_eq!(lab.run(&event).await.0, StatusCode::OK);
    assert!(lab.git.headers().iter().all(|(path, _)| !path.contains("secret")));
    let other = format!("git.localhost={},other=http://127.0.0.1:9", lab.git.url);
    lab.set("git_hosts", other);
    lab.set("git_token_host", "other");
    let before = lab.git.headers().len();
    assert_eq!(lab.run(&event).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(lab.git.headers()[before..].iter().all(|(_, headers)| !headers.contains_key("authorization")));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let mut lab = Lab::new().await;
    let event = lab.commit();
    lab.git.behave(Manners { redirect: Some("http://127.0.0.1:9/x".to_owned()), ..Manners::default() });
    assert_eq!(lab.refused_event(&event).await, "alice/app: the git host answered 301 Moved Permanently");
}

#[tokio::test]
async fn hosts_that_fail_are_tried_again() {
    let mut lab = Lab::new().await;
    lab.set("stall_timeout", "200ms");
    let event = lab.commit();
    for manners in [
        Manners { silent: true, ..Manners::default() },
        Manners { status: Some(StatusCode::SERVICE_UNAVAILABLE), ..Manners::default() },
        Manners { cut: Some(120), ..Manners::default() },
        Manners { cut: Some(0), ..Manners::default() },
    ] {
        lab.git.behave(manners.clone());
        let (status, answer) = lab.run(&event).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{manners:?}: {answer}");
        lab.nothing_left();
    }
    lab.git.behave(Manners::default());
    assert_eq!(lab.run(&event).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_machine_that_cannot_store_is_tried_again() {
    let mut lab = Lab::new().await;
    let event = lab.commit();
    let _ = lab.router();
    std::fs::remove_dir(lab.dir.path().join("work")).unwrap();
    let (status, answer) = lab.run(&event).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer, "the machine that deploys could not do its work");
    assert!(lab.status("stack-deploy").unwrap().title.ends_with("; it will be tried again"));
    std::fs::create_dir(lab.dir.path().join("work")).unwrap();
    assert_eq!(lab.run(&event).await.0, StatusCode::OK);
}

#[tokio::test]
async fn corrupt_packs_are_refused() {
    let mut lab = Lab::new().await;
    let event = lab.commit();
    lab.git.behave(Manners { corrupt: true, ..Manners::default() });
    let (status, answer) = lab.run(&event).await;
    assert!(status.is_client_error() || status.is_server_error(), "{answer}");
    assert!(lab.orders().is_empty());
    lab.nothing_left();
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_at_start() {
    let mut lab = Lab::new().await;
    let work = lab.dir.path().join("work");
    for name in ["git-tar-4194305-abc", "git-tar-1-abc", "other"] {
        std::fs::create_dir_all(work.join(name).join("pack")).unwrap();
    }
    let _ = lab.router();
    let mut left: Vec<_> =
        std::fs::read_dir(&work).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["git-tar-1-abc", "other"], "process 1 lives, 4194305 cannot");
}

#[test]
fn wrong_settings_are_reported_together_by_name() {
    let env = sdk::Env::from_map(
        [("git_hosts", "nonsense"), ("build_parallelism", "many"), ("custom_templates", "ftp://x")],
        [("a", "b")],
    );
    let error = git_tar::router(&env).unwrap_err().to_string();
    for name in
        ["gateway_url", "payload-secret", "basic-auth-user", "git_hosts", "build_parallelism", "custom_templates"]
    {
        assert!(error.contains(name), "{name}: {error}");
    }
}
