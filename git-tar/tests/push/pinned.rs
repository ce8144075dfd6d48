//! Commits that somebody asked for by themselves, and builds that take nothing from earlier ones.

use http::StatusCode;
use sdk::deploy::OrderImage;
use sdk::event::PushEvent;
use sdk::labels;
use sdk::status::State;

use crate::git_server::Manners;
use crate::lab::{Lab, run};

fn pinned(event: &PushEvent) -> PushEvent {
    PushEvent { pinned: true, ..event.clone() }
}

#[tokio::test]
async fn a_commit_that_is_not_the_head_is_deployed_when_it_is_asked_for() {
    let mut lab = Lab::new().await;
    lab.write("hello/handler.py", "old");
    let old = lab.commit();
    lab.write("hello/handler.py", "new");
    lab.commit();
    let (status, answer) = lab.run(&pinned(&old)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(lab.orders()[0].files["context/function/handler.py"], "old");
    assert_eq!(lab.orders()[0].order.event.sha, old.sha);
    let branch_is_gone = PushEvent { branch: "gone".to_owned(), ..pinned(&old) };
    assert_eq!(lab.run(&branch_is_gone).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_commit_that_is_not_there_is_refused_also_when_it_is_asked_for() {
    let mut lab = Lab::new().await;
    lab.commit();
    let event = pinned(&lab.event(&"ab".repeat(20)));
    assert_eq!(lab.refused_event(&event).await, "the commit abababa is not in alice/app");
    let nothing = pinned(&lab.event(&"0".repeat(40)));
    assert_eq!(lab.run(&nothing).await.0, StatusCode::OK);
    assert_eq!(lab.status("stack-deploy").unwrap().state, State::Neutral);
    lab.git.behave(Manners { status: Some(StatusCode::NOT_FOUND), ..Manners::default() });
    assert!(lab.refused_event(&event).await.contains("404"));
}

#[tokio::test]
async fn a_pinned_event_that_is_tried_again_after_a_newer_push_is_superseded() {
    let mut lab = Lab::new().await;
    let old = pinned(&lab.commit());
    let new = lab.commit();
    lab.gateway.refuse_next("GET /system/functions", StatusCode::INTERNAL_SERVER_ERROR, "down");
    assert_eq!(lab.run(&old).await.0, StatusCode::BAD_GATEWAY);
    let (router, gateway) = (lab.router(), lab.gateway.clone());
    let request = gateway.signed("git-tar", &new, "call-2");
    let response = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let (status, answer) = run(router, &gateway, &old).await;
    assert_eq!((status, answer), (StatusCode::OK, format!("superseded by {}", new.sha.short())));
    assert_eq!(lab.status("stack-deploy").unwrap().state, State::Neutral);
}

#[tokio::test]
async fn a_rebuild_takes_nothing_from_earlier_builds() {
    let mut lab = Lab::new().await;
    let event = lab.commit();
    lab.run(&event).await;
    lab.deploy_orders();
    assert!(lab.run(&event).await.1.ends_with("(1 unchanged)"));
    let rebuild = PushEvent { rebuild: true, ..event };
    let (_, answer) = lab.run(&rebuild).await;
    assert!(answer.ends_with("(1 built)"), "{answer}");
    let orders = lab.orders();
    assert!(matches!(orders[1].order.image, OrderImage::Build(_)));
    assert!(orders[1].order.event.rebuild);
    let no_cache = |at: usize| {
        let config: serde_json::Value = serde_json::from_str(&orders[at].files["com.openfaas.docker.config"]).unwrap();
        config["noCache"].clone()
    };
    assert_eq!((no_cache(0), no_cache(1)), (serde_json::Value::Null, true.into()));
    assert_eq!(orders[0].order.build_digest, orders[1].order.build_digest);
}

#[tokio::test]
async fn what_was_deployed_before_repositories_had_numbers_stays_and_a_numbered_one_is_compared() {
    let mut lab = Lab::new().await;
    lab.push().await;
    let mut deployed = crate::lab::deployed(&lab.orders()[0].order);
    for (number, ending) in [(None, "(1 unchanged)"), (Some("11"), "(1 unchanged)"), (Some("12"), "(1 redeployed)")] {
        deployed.labels.remove(labels::GIT_REPO_ID);
        deployed.labels.extend(number.map(|number| (labels::GIT_REPO_ID.to_owned(), number.to_owned())));
        lab.gateway.put_function(deployed.clone());
        let (_, answer) = lab.push().await;
        assert!(answer.ends_with(ending), "{number:?}: {answer}");
    }
}
