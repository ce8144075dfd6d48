//! What goes wrong, and who must not hear of it.

use gitlab_api::fake::Fault;
use http::StatusCode;
use sdk::status::{State, Status};
use serde_json::Value;
use tower::ServiceExt;

use crate::setup::{POST, router, setup, status};

/// S39: the token was sent to whatever host an event named, by http too.
#[tokio::test]
async fn s39_a_status_of_another_host_is_logged_and_the_token_stays() {
    let setup = setup().await;
    for host in ["evil.example", "127.0.0.1:9", "github.com", ""] {
        let foreign = Status {
            host: host.to_owned(),
            html_url: format!("http://{host}/x"),
            ..status("greet", State::Success, 1)
        };
        assert_eq!(setup.send(&foreign).await, (StatusCode::OK, "logged\n".to_owned()), "{host}");
    }
    let nobody = Status { repo_id: 0, ..status("greet", State::Success, 1) };
    assert_eq!(setup.send(&nobody).await.1, "logged\n");
    assert!(setup.gitlab.requests().is_empty());
}

/// S21: what GitLab does not take is said, and not taken for success.
#[tokio::test]
async fn s21_what_gitlab_does_not_take_is_an_error_status() {
    let setup = setup().await;
    let cases = [
        (
            StatusCode::UNAUTHORIZED,
            r#"{"message":"401 Unauthorized"}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "needs the scope api",
        ),
        (
            StatusCode::FORBIDDEN,
            r#"{"message":"403 Forbidden"}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "Maintainer for protected",
        ),
        (
            StatusCode::NOT_FOUND,
            r#"{"message":"404 Commit Not Found"}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "no such commit",
        ),
        (StatusCode::NOT_FOUND, "<html>", StatusCode::UNPROCESSABLE_ENTITY, "does not take the status"),
        (
            StatusCode::BAD_REQUEST,
            r#"{"message":{"target_url":["is blocked"]}}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "does not take",
        ),
        (StatusCode::CREATED, "<html>", StatusCode::BAD_GATEWAY, "is not understood"),
    ];
    for (at, (answer, body, expected, sentence)) in (1..).zip(cases) {
        setup.gitlab.fail_next(POST, Fault::new(answer, body));
        let (code, text) = setup.send(&status("greet", State::Success, at)).await;
        assert_eq!(code, expected, "{answer} {body}");
        assert!(text.contains(sentence) && !text.contains("token-of-tests"), "{text}");
    }
    assert!(setup.gitlab.statuses().is_empty());
}

#[tokio::test]
async fn passing_failures_are_tried_again() {
    let setup = setup().await;
    for answer in [StatusCode::BAD_GATEWAY, StatusCode::CONFLICT] {
        setup.gitlab.fail_next(POST, Fault::new(answer, ""));
    }
    setup.report("greet", &[State::Success]).await;
    assert_eq!(setup.histories("greet"), ["success"]);
    for _ in 0..3 {
        setup.gitlab.fail_next(POST, Fault::new(StatusCode::INTERNAL_SERVER_ERROR, ""));
    }
    assert_eq!(setup.send(&status("greet", State::Failure, 9)).await.0, StatusCode::BAD_GATEWAY);
    assert_eq!(setup.send(&status("greet", State::Failure, 9)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_last_word_that_gitlab_does_not_want_yet_waits_in_the_queue() {
    let setup = setup().await;
    setup.gitlab.fail_next(POST, Fault::busy(600));
    let (code, _) = setup.send(&status("greet", State::InProgress, 1)).await;
    assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE, "the next one says it as well");
    let (code, text) = setup.send(&status("greet", State::Success, 2)).await;
    assert_eq!((code, text.as_str()), (StatusCode::ACCEPTED, "put off: GitLab wants no reports for a while\n"));
    assert_eq!(setup.gitlab.requests().len(), 1, "GitLab is left alone");
    let waiting = setup.gateway.messages("gitlab-status").pop().unwrap();
    assert!(waiting.queued && waiting.call.starts_with("call-1."));
    // It comes back too early: the queue is told when.
    let again = || setup.gateway.signed("gitlab-status", &waiting.read::<Value>(), &waiting.call);
    let response = setup.router.clone().oneshot(again()).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let after: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((500..=601).contains(&after), "{after}");
    // The pause is over for a function that knows of none.
    let later = router(&setup.gateway, &setup.gitlab, &[("use_deployments", "false")]);
    assert_eq!(later.oneshot(again()).await.unwrap().status(), StatusCode::OK);
    assert_eq!(setup.histories("greet"), ["success"]);
}

/// S22: who may say how a push went is who has the key for this function.
#[tokio::test]
async fn s22_statuses_that_are_unsigned_or_for_another_function_are_refused() {
    let setup = setup().await;
    let one = status("greet", State::Success, 1);
    let unsigned = http::Request::post("/").body(serde_json::to_string(&one).unwrap()).unwrap();
    assert_eq!(setup.router.clone().oneshot(unsigned).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let for_another = setup.gateway.signed("github-status", &one, "call-1");
    assert_eq!(setup.router.clone().oneshot(for_another).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert!(setup.gitlab.requests().is_empty());
}

#[tokio::test]
async fn reports_can_be_turned_off() {
    let setup = crate::setup::setup_with(&[("report_status", "false")]).await;
    assert_eq!(setup.send(&status("greet", State::Success, 1)).await.1, "logged\n");
    assert!(setup.gitlab.requests().is_empty());
}

#[test]
fn every_problem_of_the_configuration_is_named() {
    let vars = [("environment", "/x"), ("report_status", "maybe"), ("gateway_pretty_url", "https://a.com/function")];
    let error = gitlab_status::router(&sdk::Env::from_map(vars, [("x", "y")])).unwrap_err();
    let names: Vec<_> = error.problems().iter().map(|problem| problem.name.as_str()).collect();
    let expected =
        ["payload-secret", "gitlab_instance", "gitlab-api-token", "report_status", "environment", "gateway_pretty_url"];
    assert_eq!(names, expected);
}
