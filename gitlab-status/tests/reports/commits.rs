//! Commit statuses.

use gitlab_api::fake::{Fault, Project};
use http::StatusCode;
use sdk::status::{Annotation, STACK_CONTEXT, State, Status};

use crate::setup::{POST, SHA, router, setup, status};

#[tokio::test]
async fn a_context_is_one_status_that_goes_on_as_the_work_does() {
    let setup = setup().await;
    setup.report("greet", &[State::Queued, State::InProgress, State::Success]).await;
    setup.report(STACK_CONTEXT, &[State::Queued, State::InProgress, State::Failure]).await;
    assert_eq!(setup.histories("greet"), ["pending running success"]);
    assert_eq!(setup.histories(STACK_CONTEXT), ["pending running failed"]);
    let greet = &setup.gitlab.statuses()[0];
    assert_eq!(
        (greet["sha"].as_str(), greet["ref"].as_str(), greet["project"].as_u64()),
        (Some(SHA), Some("main"), Some(15))
    );
    assert_eq!(
        (greet["description"].as_str(), greet["target_url"].as_str()),
        (Some("Success"), Some("https://acme-team.example.com/greet"))
    );
    assert_eq!(setup.last()["target_url"], "https://system.example.com/dashboard/acme-team");
    assert!(setup.gitlab.requests().iter().all(|request| request == POST));
}

/// GitLab answers 400 where it is told a state twice, in a row or from a state that is further on.
#[tokio::test]
async fn repeated_states_are_no_failures() {
    let setup = setup().await;
    setup.report("greet", &[State::Queued, State::Queued, State::InProgress, State::InProgress]).await;
    assert_eq!(setup.gitlab.requests().len(), 2, "what GitLab would refuse is not even sent");
    // A function that was started anew knows nothing of it.
    let anew = router(&setup.gateway, &setup.gitlab, &[("use_deployments", "false")]);
    let setup = crate::setup::Setup { router: anew, ..setup };
    setup.report("greet", &[State::Queued, State::InProgress, State::Success]).await;
    assert_eq!(setup.histories("greet"), ["pending running success"]);
    assert_eq!(setup.gitlab.requests().len(), 3);
}

#[tokio::test]
async fn other_branches_and_superseded_pushes_are_skipped_and_never_failed() {
    let setup = setup().await;
    setup.report("another-branch", &[State::Neutral]).await;
    assert_eq!(setup.histories("another-branch"), ["skipped"]);
    setup.report("waited", &[State::Queued, State::Neutral]).await;
    assert_eq!(setup.histories("waited"), ["pending skipped"]);
    setup.report("began", &[State::InProgress, State::Neutral]).await;
    assert_eq!(setup.histories("began"), ["running canceled"], "GitLab does not skip what runs");
    setup
        .gitlab
        .fail_next(POST, Fault::new(StatusCode::BAD_REQUEST, r#"{"error":"state does not have a valid value"}"#));
    setup.report("old-gitlab", &[State::Neutral]).await;
    assert_eq!(setup.histories("old-gitlab"), ["canceled"]);
}

#[tokio::test]
async fn a_commit_that_is_deployed_again_gets_new_statuses() {
    let setup = setup().await;
    setup
        .report(
            "greet",
            &[State::Queued, State::InProgress, State::Failure, State::Queued, State::InProgress, State::Success],
        )
        .await;
    assert_eq!(setup.histories("greet"), ["pending running failed", "pending running success"]);
}

#[tokio::test]
async fn what_is_older_comes_too_late_and_what_comes_twice_is_told_once() {
    let setup = setup().await;
    let done = status("greet", State::Success, 7);
    for _ in 0..2 {
        assert_eq!(setup.send(&done).await.0, StatusCode::OK);
    }
    let late = setup.send(&status("greet", State::InProgress, 6)).await;
    assert_eq!(late, (StatusCode::OK, "too late: something newer was said here\n".to_owned()));
    assert_eq!(setup.histories("greet"), ["success"]);
}

#[tokio::test]
async fn branches_of_one_commit_have_statuses_of_their_own() {
    let setup = setup().await;
    setup.report("stack-deploy", &[State::Success]).await;
    let other = Status { branch: "dev".to_owned(), ..status("stack-deploy", State::Neutral, 1) };
    assert_eq!(setup.send(&other).await.0, StatusCode::OK);
    assert_eq!(setup.histories("stack-deploy"), ["success", "skipped"]);
}

#[tokio::test]
async fn a_function_with_the_name_of_a_job_of_the_projects_own_gets_another() {
    let setup = setup().await;
    setup.gitlab.put_project(Project { jobs: vec!["build".to_owned()], ..Project::new(15, "acme/team/hello", 71) });
    setup.report("build", &[State::InProgress, State::Success]).await;
    assert_eq!(setup.histories("openfaas-cloud/build"), ["running success"]);
    assert_eq!(setup.gitlab.requests().len(), 3, "the second time its name is known to be taken");
}

#[tokio::test]
async fn descriptions_and_addresses_are_as_long_as_gitlab_takes() {
    let setup = setup().await;
    let place = Annotation { path: "greet/Dockerfile".to_owned(), line: 3, message: "exit code 9".to_owned() };
    let title = "ä".repeat(300);
    let failed = Status { title, annotations: vec![place], ..status("greet", State::Failure, 1) };
    assert_eq!(setup.send(&failed).await.0, StatusCode::OK);
    let description = setup.last()["description"].as_str().unwrap().to_owned();
    assert_eq!(description.chars().count(), 255);
    assert!(description.ends_with("ä… (greet/Dockerfile:3)"), "{description}");
    let log = format!(
        "https://system.example.com/dashboard/acme-team/greet/build-log?repoPath=acme-team/hello&commitSHA={SHA}"
    );
    assert_eq!(setup.last()["target_url"], log);
    let long = "f".repeat(63);
    let repo = "r".repeat(100).parse().unwrap();
    let failed = Status { repo, ..status(&long, State::Failure, 1) };
    assert_eq!(setup.send(&failed).await.0, StatusCode::OK);
    assert_eq!(setup.last()["target_url"], "https://system.example.com/dashboard/acme-team");
    let far = status("far", State::Success, 1).with_url(format!("https://x.example/{}", "y".repeat(300)));
    assert_eq!(setup.send(&far).await.0, StatusCode::OK);
    assert_eq!(setup.last()["target_url"], "https://system.example.com/dashboard/acme-team");
}

/// GitLab takes the newest pipeline of a commit, and a project's own may begin at any time.
#[tokio::test]
async fn statuses_stay_in_the_pipeline_where_they_began() {
    let setup = setup().await;
    setup.report(STACK_CONTEXT, &[State::Queued]).await;
    setup.gitlab.start_pipeline(15, SHA, "main");
    setup.report("greet", &[State::InProgress, State::Success]).await;
    assert_eq!(setup.send(&status(STACK_CONTEXT, State::Success, 9)).await.0, StatusCode::OK);
    assert_eq!(setup.histories(STACK_CONTEXT), ["pending success"]);
    let pipelines: Vec<_> = setup.gitlab.statuses().iter().map(|status| status["pipeline_id"].clone()).collect();
    assert_eq!(pipelines, [1000, 1000]);
    // Somebody deletes it.
    setup.gitlab.remove_pipeline(1000);
    assert_eq!(setup.send(&status("greet", State::Queued, 10)).await.0, StatusCode::OK);
    assert_eq!(setup.last()["pipeline_id"], 1001);
}
