//! Pushes that meet, and runs that are broken off.

use axum::Router;
use http::StatusCode;
use sdk::status::State as Progress;

use crate::gate::Gate;
use crate::lab::{Lab, STACK, run};

async fn two_functions() -> (Lab, Gate) {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &format!("{STACK}  two:\n    lang: py\n    handler: hello\n"));
    lab.set("build_parallelism", "1");
    let gate = Gate::start(&mut lab).await;
    (lab, gate)
}

#[tokio::test]
async fn a_forced_push_during_a_build_stops_the_older_run_before_its_next_function() {
    let (mut lab, gate) = two_functions().await;
    let old = lab.commit();
    let (router, gateway) = (lab.router(), lab.gateway.clone());
    let first = tokio::spawn({
        let (router, gateway, old) = (router.clone(), gateway.clone(), old.clone());
        async move { run(router, &gateway, &old).await }
    });
    gate.one_arrives().await;
    crate::lab::git(&lab.repository("alice/app.git"), &["commit", "--quiet", "--amend", "-m", "forced"]);
    let new = lab.event(crate::lab::git(&lab.repository("alice/app.git"), &["rev-parse", "HEAD"]).trim());
    let before = lab.git.requests();
    let second = tokio::spawn({
        let (router, gateway, new) = (router.clone(), gateway.clone(), new.clone());
        async move { run(router, &gateway, &new).await }
    });
    // The newer run has announced itself once its head check is answered; then it waits for its turn.
    while lab.git.requests() == before {
        tokio::task::yield_now().await;
    }
    wait_until_announced(&router, &gateway, &new).await;
    gate.leave.add_permits(100);
    let (status, answer) = first.await.unwrap();
    assert_eq!((status, answer), (StatusCode::OK, format!("superseded by {}", new.sha.short())));
    assert_eq!(second.await.unwrap().0, StatusCode::OK);
    let ofs: Vec<String> = gate.sent();
    assert_eq!(ofs.iter().filter(|sent| sent.ends_with(old.sha.short())).count(), 1, "{ofs:?}");
    assert_eq!(ofs.iter().filter(|sent| sent.ends_with(new.sha.short())).count(), 2, "{ofs:?}");
    let stopped = lab.statuses().into_iter().find(|status| status.context == "two" && status.sha == old.sha).unwrap();
    assert_eq!(stopped.state, Progress::Neutral);
    let table = lab.statuses().into_iter().rfind(|status| status.sha == old.sha && status.context == "stack-deploy");
    let states: Vec<_> = table.unwrap().functions.iter().map(|function| function.state).collect();
    assert_eq!(states, [Progress::Success, Progress::Neutral]);
    assert_eq!(lab.gateway.messages("garbage-collect").len(), 1, "only the newer run collects");
}

/// A third delivery of the same commit cannot finish before the second's announcement is seen: what it waits
/// for is that the first run is marked as superseded, which the answer to an old event shows.
async fn wait_until_announced(router: &Router, gateway: &sdk::fake_gateway::FakeGateway, new: &sdk::event::PushEvent) {
    let third = run(router.clone(), gateway, new);
    let limited = tokio::time::timeout(std::time::Duration::from_millis(300), third).await;
    assert!(limited.is_err(), "one run at a time");
}

#[tokio::test]
async fn an_old_event_delivered_again_does_not_disturb_the_newer_run() {
    let (mut lab, gate) = two_functions().await;
    let old = lab.commit();
    let new = lab.commit();
    let (router, gateway) = (lab.router(), lab.gateway.clone());
    let running = tokio::spawn({
        let (router, gateway) = (router.clone(), gateway.clone());
        async move { run(router, &gateway, &new).await }
    });
    gate.one_arrives().await;
    assert!(run(router, &gateway, &old).await.1.starts_with("superseded by "), "answered while the other still runs");
    gate.leave.add_permits(100);
    assert!(running.await.unwrap().1.ends_with("(2 built)"));
}

#[tokio::test]
async fn a_run_that_is_broken_off_ends_as_a_clean_one_when_it_is_delivered_again() {
    let (mut lab, gate) = two_functions().await;
    let event = lab.commit();
    let (router, gateway) = (lab.router(), lab.gateway.clone());
    let running = tokio::spawn({
        let (router, gateway, event) = (router.clone(), gateway.clone(), event.clone());
        async move { run(router, &gateway, &event).await }
    });
    gate.one_arrives().await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    lab.nothing_left();
    gate.leave.add_permits(100);
    let (_, answer) = run(router, &gateway, &event).await;
    assert!(answer.ends_with("(2 built)"), "the repository is free again: {answer}");
    lab.deploy_orders();
    assert!(lab.run(&event).await.1.ends_with("(2 unchanged)"));
}

#[tokio::test]
async fn a_push_that_takes_too_long_is_told_and_tried_again() {
    let (mut lab, _gate) = two_functions().await;
    lab.set("push_timeout", "1s");
    let (status, answer) = lab.push().await;
    assert_eq!((status, answer.as_str()), (StatusCode::BAD_GATEWAY, "the push was not deployed within 1 s"));
    let last = lab.status("stack-deploy").unwrap();
    assert_eq!(last.state, Progress::Failure);
    assert_eq!(last.title, "the push was not deployed within 1 s; it will be tried again");
    let table: Vec<_> = last.functions.iter().map(|f| (f.name.as_str(), f.state, f.title.as_str())).collect();
    assert_eq!(table, [("hello", Progress::Failure, last.title.as_str()), ("two", Progress::Neutral, "not tried")]);
    assert!(last.functions[0].millis.is_some_and(|millis| millis > 100));
    assert_eq!(lab.status("hello").unwrap().state, Progress::Failure, "what was begun has an end");
    assert!(lab.status("two").is_none());
    assert!(lab.gateway.messages("garbage-collect").is_empty());
    lab.nothing_left();
}
