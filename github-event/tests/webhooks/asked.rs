//! Deployments that somebody asks for: "Re-run", and GitHub's deployments.

use http::StatusCode;
use serde_json::{Value, json};

use crate::setup::{Setup, sample, setup};

const RUNS: &str = include_str!("../data/published/check_run.jsonl");
const SUITES: &str = include_str!("../data/published/check_suite.jsonl");
const DEPLOYMENTS: &str = include_str!("../data/published/deployment.jsonl");

fn run() -> Value {
    sample(RUNS, |run| run["action"] == "rerequested")
}

fn deployment() -> Value {
    sample(DEPLOYMENTS, |deployment| deployment["deployment"]["creator"]["type"] == "User")
}

async fn is_ignored(setup: &Setup, event: &str, body: &Value, why: &str) {
    let (status, text) = setup.post(event, body).await;
    assert_eq!((status, text), (StatusCode::ACCEPTED, format!("{why}\n")));
    assert!(setup.nothing_was_queued(), "{why}");
}

#[tokio::test]
async fn a_rerun_deploys_the_commit_if_it_is_still_its_branchs_head() {
    let setup = setup(&[]).await;
    let (status, text) = setup.post("check_run", &run()).await;
    assert_eq!((status, text.as_str()), (StatusCode::ACCEPTED, "github/hello-world master d6fde92: queued\n"));
    let push = &setup.pushes()[0];
    assert_eq!((push.branch.as_str(), push.sha.short(), push.pusher.as_str()), ("master", "d6fde92", "octocat"));
    // git-tar looks whether it is the head, as it does for every push.
    assert!(!push.pinned && !push.rebuild && push.asked_at.is_none());
    assert_eq!((push.owner_id, push.repo_id, push.installation), (340, 526, 1));
}

#[tokio::test]
async fn a_rerun_of_what_had_succeeded_builds_all_anew() {
    for (conclusion, rebuild) in [("success", true), ("failure", false), ("cancelled", false)] {
        let setup = setup(&[]).await;
        let mut run = run();
        run["check_run"]["conclusion"] = conclusion.into();
        assert_eq!(setup.post("check_run", &run).await.0, StatusCode::ACCEPTED);
        assert_eq!(setup.pushes()[0].rebuild, rebuild, "{conclusion}");
    }
    let setup = setup(&[]).await;
    let suite = sample(SUITES, |suite| suite["action"] == "rerequested");
    let (status, text) = setup.post("check_suite", &suite).await;
    assert_eq!((status, text.as_str()), (StatusCode::ACCEPTED, "codertocat/Hello-World changes ec26c3e: queued\n"));
    assert!(setup.pushes()[0].rebuild);
}

#[tokio::test]
async fn runs_of_other_apps_are_not_ours_to_repeat() {
    let ours = setup(&[("github_app_id", "2")]).await;
    assert_eq!(ours.post("check_run", &run()).await.0, StatusCode::ACCEPTED);
    assert_eq!(ours.pushes().len(), 1);
    let others = setup(&[("github_app_id", "3")]).await;
    let why = "the check is another app's: not acted on";
    is_ignored(&others, "check_run", &run(), why).await;
    let suite = sample(SUITES, |suite| suite["action"] == "rerequested");
    is_ignored(&others, "check_suite", &suite, why).await;
    let mut nobodys = run();
    nobodys["check_run"]["app"] = Value::Null;
    is_ignored(&others, "check_run", &nobodys, why).await;
}

#[tokio::test]
async fn a_rerun_of_a_forks_commit_is_nothing_to_do() {
    let setup = setup(&[]).await;
    let mut run = run();
    run["check_run"]["check_suite"]["head_branch"] = Value::Null;
    is_ignored(&setup, "check_run", &run, "the check's commit is of no branch of the repository: not acted on").await;
}

#[tokio::test]
async fn a_stranger_may_not_rerun_or_deploy() {
    let setup = setup(&[]).await;
    for (event, mut body) in [("check_run", run()), ("deployment", deployment())] {
        body["repository"]["owner"]["login"] = "mallory".into();
        assert_eq!(setup.post(event, &body).await.0, StatusCode::FORBIDDEN);
    }
    assert!(setup.nothing_was_queued());
}

#[tokio::test]
async fn a_deployment_that_somebody_creates_pins_its_commit() {
    let setup = setup(&[]).await;
    let (status, text) = setup.post("deployment", &deployment()).await;
    assert_eq!((status, text.as_str()), (StatusCode::ACCEPTED, "codertocat/Hello-World master f95f852: queued\n"));
    let push = &setup.pushes()[0];
    assert!(push.pinned && !push.rebuild);
    assert_eq!(push.asked_at, Some(1_557_933_653), "when it was created, so that a late delivery undoes nothing newer");
    assert_eq!(push.pusher, "Codertocat");
}

#[tokio::test]
async fn a_deployment_may_ask_to_build_all_anew() {
    let payloads = [
        (json!({"rebuild": true}), true),
        (json!("{\"rebuild\": true}"), true),
        (json!({"rebuild": false}), false),
        (json!({"rebuild": "yes"}), false),
        (json!("no json"), false),
        (json!(""), false),
        (json!(7), false),
        (Value::Null, false),
    ];
    for (payload, rebuild) in payloads {
        let setup = setup(&[]).await;
        let mut deployment = deployment();
        deployment["deployment"]["payload"] = payload.clone();
        assert_eq!(setup.post("deployment", &deployment).await.0, StatusCode::ACCEPTED);
        assert_eq!(setup.pushes()[0].rebuild, rebuild, "{payload}");
    }
}

#[tokio::test]
async fn deployments_that_report_or_are_for_something_else_are_left_alone() {
    let setup = setup(&[]).await;
    let changed = |field: &str, value: Value| {
        let mut deployment = deployment();
        deployment["deployment"][field] = value;
        deployment
    };
    let own = changed("task", "deploy:openfaas-cloud".into());
    is_ignored(&setup, "deployment", &own, "the deployment is this platform's own report: not acted on").await;
    let migration = changed("task", "deploy:migrations".into());
    is_ignored(&setup, "deployment", &migration, "the deployment's task is deploy:migrations: not acted on").await;
    let actions = changed("performed_via_github_app", json!({"id": 15368}));
    is_ignored(&setup, "deployment", &actions, "the deployment was made by an app (Codertocat): not acted on").await;
    let bot = changed("creator", json!({"login": "github-pages[bot]", "id": 1, "type": "Bot"}));
    is_ignored(&setup, "deployment", &bot, "the deployment was made by an app (github-pages[bot]): not acted on").await;
    let mut preview = changed("production_environment", false.into());
    preview["deployment"]["environment"] = "preview".into();
    is_ignored(&setup, "deployment", &preview, "preview is no production environment: not acted on").await;
}
