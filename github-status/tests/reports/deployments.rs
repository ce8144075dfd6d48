//! GitHub's deployments.

use github_app::fake_github::Refusal;
use http::StatusCode;
use sdk::status::{FunctionState, STACK_CONTEXT, State, Status};
use serde_json::{Value, json};

use super::{Lab, SHA, status};

const MAKE: &str = "POST /repos/{owner}/{repo}/deployments";
const SAY: &str = "POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses";

async fn lab() -> Lab {
    Lab::start(&[("use_deployments", "true")]).await
}

fn stack(state: State) -> Status {
    status(STACK_CONTEXT, state, "a title")
}

fn states(lab: &Lab, number: usize) -> Vec<String> {
    let id = lab.github.deployments()[number]["id"].as_u64().unwrap_or_default();
    let statuses = lab.github.deployment_statuses(id);
    statuses.iter().map(|status| status["state"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_commit_is_one_deployment_from_its_queue_to_its_address() {
    let mut lab = lab().await;
    lab.told("call-1", &[stack(State::Queued), stack(State::InProgress), stack(State::InProgress)]).await;
    lab.told("call-1", &[status("greet", State::Success, "live")]).await;
    lab.restart();
    let row = FunctionState {
        name: "greet".parse().unwrap(),
        state: State::Success,
        title: String::new(),
        millis: None,
        url: Some("https://alice.example.com/greet".to_owned()),
    };
    lab.told("call-1", &[stack(State::Success).with_functions(vec![row])]).await;
    assert_eq!(states(&lab, 0), ["queued", "in_progress", "success"]);
    let mut made = lab.github.deployments()[0].clone();
    let last = lab.github.deployment_statuses(made["id"].as_u64().unwrap()).pop().unwrap();
    assert_eq!(last["environment_url"], "https://alice.example.com/greet");
    assert_eq!(
        (&last["log_url"], &last["auto_inactive"]),
        (&json!("https://system.example.com/dashboard/alice"), &json!(true))
    );
    for moment in ["id", "created_at", "sha"] {
        made.as_object_mut().unwrap().remove(moment);
    }
    let expected = json!({
        "ref": SHA, "task": "deploy:openfaas-cloud", "auto_merge": false, "required_contexts": [],
        "environment": "production", "production_environment": true, "description": "A push to main",
    });
    assert_eq!((lab.github.deployments().len(), made), (1, expected));
}

#[tokio::test]
async fn a_re_run_goes_on_in_the_same_deployment() {
    let lab = lab().await;
    lab.told("call-1", &[stack(State::Failure)]).await;
    lab.told("call-2", &[stack(State::Queued), stack(State::Success)]).await;
    assert_eq!(
        (lab.github.deployments().len(), states(&lab, 0)),
        (1, ["failure", "queued", "success"].map(str::to_owned).to_vec())
    );
    assert!(lab.send_in("call-2", &stack(State::InProgress)).await.1.starts_with("too late"));
    assert_eq!(states(&lab, 0).len(), 3);
}

#[tokio::test]
async fn superseded_is_inactive_and_another_branch_is_no_deployment() {
    let lab = lab().await;
    lab.told("call-1", &[stack(State::Neutral)]).await;
    assert!(lab.github.deployments().is_empty());
    lab.told("call-2", &[stack(State::Queued), stack(State::Neutral)]).await;
    assert_eq!(states(&lab, 0), ["queued", "inactive"]);
}

#[tokio::test]
async fn the_environment_is_the_operators() {
    let vars = [("use_deployments", "true"), ("environment", "staging ä"), ("production_environment", "true")];
    let lab = Lab::start(&vars).await;
    lab.told("call-1", &[stack(State::Queued)]).await;
    let made = lab.github.deployments()[0].clone();
    assert_eq!((&made["environment"], &made["production_environment"]), (&json!("staging ä"), &json!(true)));
    let lab = Lab::start(&vars[..2]).await;
    lab.told("call-1", &[stack(State::Queued)]).await;
    assert_eq!(lab.github.deployments()[0]["production_environment"], json!(false));
}

#[tokio::test]
async fn without_the_permission_checks_go_on() {
    let lab = lab().await;
    lab.github.withdraw("deployments");
    lab.told("call-1", &[stack(State::Queued), stack(State::Success)]).await;
    assert_eq!((lab.github.runs().len(), lab.github.deployments().len()), (1, 0));
    assert_eq!(lab.run(0)["conclusion"], "success");
}

#[tokio::test]
async fn what_github_refuses_of_a_deployment_stays_there() {
    for status in [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY]
    {
        let lab = lab().await;
        lab.github.refuse_next(MAKE, Refusal::new(status, "no"));
        lab.told("call-1", &[stack(State::Success)]).await;
        assert!(lab.github.deployments().is_empty(), "{status}");
    }
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_deployment_and_a_deleted_one_is_made_again() {
    let lab = lab().await;
    lab.github.refuse_next(MAKE, Refusal::new(StatusCode::BAD_GATEWAY, "lost").after_the_work());
    lab.told("call-1", &[stack(State::Queued)]).await;
    assert_eq!((lab.github.deployments().len(), states(&lab, 0)), (1, vec!["queued".to_owned()]));
    lab.github.refuse_next(SAY, Refusal::new(StatusCode::NOT_FOUND, "Not Found"));
    lab.told("call-1", &[stack(State::InProgress)]).await;
    assert_eq!((lab.github.deployments().len(), states(&lab, 1)), (2, vec!["in_progress".to_owned()]));
}

#[tokio::test]
async fn only_the_last_word_is_worth_another_try() {
    let lab = lab().await;
    let fail = || (0..3).for_each(|_| lab.github.refuse_next(SAY, Refusal::new(StatusCode::BAD_GATEWAY, "down")));
    fail();
    lab.told("call-1", &[stack(State::InProgress)]).await;
    fail();
    assert_eq!(lab.send(&stack(State::Success)).await.0, StatusCode::BAD_GATEWAY);
    lab.told("call-1", &[stack(State::Success)]).await;
    assert_eq!((states(&lab, 0), lab.github.runs().len()), (vec!["success".to_owned()], 1));
}

#[tokio::test]
async fn with_commit_statuses_too() {
    let lab = Lab::start(&[("use_checks", "false"), ("use_deployments", "true")]).await;
    lab.told("call-1", &[stack(State::Queued), stack(State::Failure)]).await;
    assert_eq!(states(&lab, 0), ["queued", "failure"]);
    let last: Vec<Value> = lab.github.deployment_statuses(lab.github.deployments()[0]["id"].as_u64().unwrap());
    assert!(last[1].get("environment_url").is_none());
}
