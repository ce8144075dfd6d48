//! Calls against a GitLab that fails in all the ways there are.

use std::time::Duration;

use gitlab_api::fake::{FakeGitlab, Fault, Project, TOKEN};
use gitlab_api::{Api, Call, GitlabError, Patience};
use http::StatusCode;
use sdk::Env;
use serde_json::{Value, json};

const PROJECT: &str = "GET projects/7";

async fn setup() -> (FakeGitlab, Api) {
    let gitlab = FakeGitlab::start().await;
    gitlab.put_project(Project::new(7, "acme/hello", 70));
    let api = api(&format!("{}/", gitlab.url()), TOKEN);
    (gitlab, api)
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn api(instance: &str, token: &str) -> Api {
    let env = Env::from_map([("gitlab_instance", instance)], [("gitlab-api-token", token)]);
    let patience = Patience { total: Duration::from_secs(5), pause: Duration::from_millis(1), ..Patience::default() };
    Api::read(&env.reader()).unwrap().with_patience(patience)
}

async fn project(api: &Api) -> Result<Value, GitlabError> {
    api.send(&Call::get("the project", ["projects", "7"])).await
}

#[tokio::test]
async fn passing_failures_are_tried_again() {
    let (gitlab, api) = setup().await;
    for status in [StatusCode::BAD_GATEWAY, StatusCode::INTERNAL_SERVER_ERROR] {
        gitlab.fail_next(PROJECT, Fault::new(status, "oops"));
    }
    assert_eq!(project(&api).await.unwrap()["path_with_namespace"], "acme/hello");
    assert_eq!(gitlab.requests(), [PROJECT; 3]);
    for _ in 0..3 {
        gitlab.fail_next(PROJECT, Fault::new(StatusCode::BAD_GATEWAY, "oops"));
    }
    let error = project(&api).await.unwrap_err();
    assert!(error.is_worth_a_retry());
    assert_eq!(error.to_string(), "GitLab answered the project with 502 Bad Gateway: oops");
}

#[tokio::test]
async fn what_may_not_happen_twice_is_sent_again_only_where_it_did_not_happen() {
    let (gitlab, api) = setup().await;
    let body = json!({"environment": "e", "sha": "a", "ref": "main", "tag": false, "status": "running"});
    let call = Call::post("a deployment", ["projects", "7", "deployments"]).body(body).once();
    let route = "POST projects/7/deployments";
    gitlab.fail_next(route, Fault::new(StatusCode::BAD_GATEWAY, ""));
    assert!(api.send::<Value>(&call).await.is_err());
    gitlab.fail_next(route, Fault::busy(0));
    assert!(api.send::<Value>(&call).await.is_ok());
    assert_eq!(gitlab.deployments().len(), 1);
}

#[tokio::test]
async fn a_pause_that_gitlab_asks_for_is_kept_by_all_calls() {
    let (gitlab, api) = setup().await;
    gitlab.fail_next(PROJECT, Fault::busy(1));
    let started = tokio::time::Instant::now();
    assert!(project(&api).await.is_ok());
    assert!(started.elapsed() >= Duration::from_millis(900), "it waited");
    gitlab.fail_next(PROJECT, Fault::busy(1000));
    let error = project(&api).await.unwrap_err();
    assert!(error.wait().is_some_and(|wait| wait > Duration::from_secs(900)), "{error}");
    gitlab.requests();
    assert!(project(&api.clone()).await.unwrap_err().is_worth_a_retry());
    assert!(gitlab.requests().is_empty(), "nothing is sent before the time");
}

#[tokio::test]
async fn only_gitlabs_own_404_means_that_there_is_no_such_thing() {
    let (gitlab, api) = setup().await;
    gitlab.fail_next(PROJECT, Fault::new(StatusCode::NOT_FOUND, "<html>no such host here</html>"));
    assert!(matches!(project(&api).await.unwrap_err(), GitlabError::Refused { status: StatusCode::NOT_FOUND, .. }));
    gitlab.fail_next(PROJECT, Fault::new(StatusCode::NOT_FOUND, r#"{"message":"gone fishing"}"#));
    assert!(matches!(project(&api).await.unwrap_err(), GitlabError::Refused { .. }));
    gitlab.remove_project(7);
    assert!(matches!(project(&api).await.unwrap_err(), GitlabError::NotThere { .. }));
}

#[tokio::test]
async fn other_answers_are_refusals() {
    let (gitlab, api) = setup().await;
    gitlab.fail_next(PROJECT, Fault::new(StatusCode::OK, "<html>maintenance</html>"));
    assert!(matches!(project(&api).await.unwrap_err(), GitlabError::Malformed { .. }));
    gitlab.fail_next(PROJECT, Fault::new(StatusCode::OK, &"x".repeat(2 << 20)));
    assert!(matches!(project(&api).await.unwrap_err(), GitlabError::Malformed { .. }), "too long");
    let elsewhere = "http://127.0.0.1:9/loot".to_owned();
    let headers = vec![("location", elsewhere)];
    gitlab.fail_next(PROJECT, Fault { headers, ..Fault::new(StatusCode::MOVED_PERMANENTLY, "") });
    let moved = project(&api).await.unwrap_err();
    assert!(matches!(moved, GitlabError::Refused { status: StatusCode::MOVED_PERMANENTLY, .. }), "{moved}");
    let stranger = self::api(gitlab.url(), "another-token");
    let refused = project(&stranger).await.unwrap_err();
    assert!(matches!(refused, GitlabError::Refused { status: StatusCode::UNAUTHORIZED, .. }), "{refused}");
    assert!(!format!("{refused:?} {stranger:?}").contains("another-token"));
}

#[tokio::test]
async fn a_gitlab_that_is_away_is_said_to_be() {
    let error = project(&api("http://127.0.0.1:1/gitlab", TOKEN)).await.unwrap_err();
    assert!(error.is_worth_a_retry());
    assert_eq!(error.to_string(), "GitLab does not answer the project");
}

#[test]
fn every_problem_of_the_configuration_is_named() {
    let env = Env::from_map([("gitlab_instance", "http://gitlab.example")], [("gitlab-api-token", "a\nb")]);
    let reader = env.reader();
    assert!(Api::read(&reader).is_err());
    let error = reader.finish().unwrap_err();
    let names: Vec<_> = error.problems().iter().map(|problem| problem.name.as_str()).collect();
    assert_eq!(names, ["gitlab_instance", "gitlab-api-token"]);
}
