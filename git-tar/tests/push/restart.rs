//! Functions that are deployed anew because a secret of theirs changed.

use http::StatusCode;
use sdk::deploy::OrderImage;
use sdk::event::PushEvent;
use sdk::labels;
use sdk::secrets::SecretsRequest;
use sdk::status::State;

use crate::gate::Gate;
use crate::git_server::Manners;
use crate::keeper::{Keeper, asked, kinds};
use crate::lab::{Lab, deployed, run};

const STACK: &str = "provider: {name: openfaas}\nfunctions:\n  plain: {lang: py, handler: hello}\n  one: {lang: py, handler: hello, secrets: [db]}\n  two: {lang: sh, handler: hello, fprocess: mine, secrets: [db, api]}\n";

/// A deployed stack of which `one` and `two` mount secrets, and the event of its push.
async fn live() -> (Lab, Keeper, PushEvent) {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", STACK);
    let keeper = Keeper::start(&lab);
    keeper.has("db", "v1");
    keeper.has("api", "v1");
    let event = lab.commit();
    assert_eq!(lab.run(&event).await.0, StatusCode::OK);
    put_live(&lab);
    (lab, keeper, event)
}

/// Makes the gateway hold what was ordered, with all that a real one has.
fn put_live(lab: &Lab) {
    for order in lab.orders() {
        let mut status = deployed(&order.order);
        let event = &order.order.event;
        let more = [
            (labels::GIT_SHA, event.sha.to_string()),
            (labels::GIT_BRANCH, event.branch.clone()),
            (labels::GIT_REPO_ID, event.repo_id.to_string()),
            (labels::GIT_CLOUD, "1".to_owned()),
            (labels::GIT_OWNER, event.owner.to_string()),
        ];
        status.labels.extend(more.map(|(name, value)| (name.to_owned(), value)));
        status.env_process = order.order.settings.env_process.clone().unwrap_or_default();
        lab.gateway.put_function(status);
    }
}

fn restart(event: &PushEvent, functions: &[&str]) -> PushEvent {
    PushEvent { restart: functions.iter().map(|name| name.parse().unwrap()).collect(), ..event.clone() }
}

/// The functions that were ordered after the first push, with their commits.
fn ordered(lab: &Lab) -> Vec<(String, String)> {
    let orders = lab.orders().into_iter().skip(3);
    let mut all: Vec<_> =
        orders.map(|order| (order.order.function.to_string(), order.order.event.sha.to_string())).collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_function_is_deployed_anew_as_it_is_with_the_changed_secret() {
    let (mut lab, keeper, event) = live().await;
    let (before, statuses) = (lab.orders(), lab.statuses().len());
    let of = |lab: &Lab, name: &str, at: usize| {
        lab.orders().into_iter().skip(at).find(|order| order.order.function.as_str() == name).unwrap().order
    };
    let image = lab.gateway.function("alice-two").unwrap().image;
    keeper.has("db", "v2");
    // Its branch has moved on, and the template's process with it: neither matters.
    lab.write("hello/handler.py", "newer");
    lab.commit();
    std::fs::write(lab.dir.path().join("templates/py/template.yml"), "language: py\nfprocess: other\n").unwrap();
    let (status, answer) = lab.run(&restart(&event, &["one", "two"])).await;
    assert_eq!((status, answer.as_str()), (StatusCode::OK, "Restarted 2 functions with changed secrets"));
    for name in ["one", "two"] {
        let (old, new) = (of(&lab, name, 0), of(&lab, name, before.len()));
        assert!(matches!(new.image, OrderImage::Existing(_)), "nothing is built");
        assert_eq!((new.build_digest.as_str(), &new.event.sha), (old.build_digest.as_str(), &event.sha));
        assert_ne!(new.deploy_digest, old.deploy_digest);
        assert_eq!(new.settings.env_process, old.settings.env_process, "as it is deployed");
        assert!(!new.event.restart.is_empty(), "buildshiprun knows what this is");
    }
    assert_eq!(of(&lab, "two", before.len()).image, OrderImage::Existing(image));
    assert_eq!(kinds(&lab)[2..], ["look", "prune"]);
    assert_eq!(lab.gateway.messages("garbage-collect").len(), 1, "only the push's own");
    let told: Vec<_> = lab.statuses().into_iter().skip(statuses).collect();
    assert!(told.iter().all(|status| ["one", "two"].contains(&status.context.as_str())), "functions only: {told:?}");
    let one = lab.status("one").unwrap();
    assert!(one.state == State::Success && one.title.starts_with("live at ") && one.sha == event.sha, "{one:?}");
    assert!(told.iter().any(|status| status.title == "restarting: a secret has changed"));
    lab.nothing_left();

    // The same once more, and the next push of the same files: nothing is left to do.
    put_live(&lab);
    let told = lab.statuses().len();
    let (_, answer) = lab.run(&restart(&event, &["one", "two"])).await;
    assert_eq!(answer, "nothing to restart: no function has to be deployed anew");
    assert_eq!(lab.statuses().len(), told);
    std::fs::write(lab.dir.path().join("templates/py/template.yml"), "language: py\nfprocess: run py\n").unwrap();
    lab.write("hello/handler.py", "print('hello')\n");
    lab.set("build_parallelism", "2");
    assert!(lab.push().await.1.ends_with("(3 unchanged)"), "{:?}", lab.status("stack-deploy"));
}

#[tokio::test]
async fn only_what_is_named_deployed_and_the_owners_is_restarted() {
    let (mut lab, keeper, event) = live().await;
    keeper.has("db", "v2");
    lab.run(&restart(&event, &["one", "plain", "gone"])).await;
    assert_eq!(ordered(&lab), [("one".to_owned(), event.sha.to_string())]);
    let mut foreign = lab.gateway.function("alice-two").unwrap();
    // Else its login alone would be reason enough to refuse.
    foreign.labels.remove(labels::GIT_OWNER);
    for (label, value) in [(labels::GIT_OWNER_ID, "8"), (labels::GIT_REPO_ID, "12"), (labels::GIT_SCM, "github.com")] {
        let own = foreign.labels.insert(label.to_owned(), value.to_owned()).unwrap();
        lab.gateway.put_function(foreign.clone());
        let (_, answer) = lab.run(&restart(&event, &["two"])).await;
        assert!(answer.starts_with("nothing to restart"), "{label}: {answer}");
        foreign.labels.insert(label.to_owned(), own);
    }
    assert_eq!(ordered(&lab).len(), 1);
}

#[tokio::test]
async fn each_function_is_restarted_from_its_own_commit() {
    let (mut lab, keeper, old) = live().await;
    // `two` is deployed from a newer commit with other settings, as after a push in which the others did not change.
    lab.write("stack.yml", &STACK.replace("fprocess: mine", "fprocess: newer"));
    let new = lab.commit();
    lab.run(&new).await;
    put_live(&lab);
    let seen = lab.orders().len();
    keeper.has("db", "v2");
    let (_, answer) = lab.run(&restart(&new, &["one", "two"])).await;
    assert_eq!(answer, "Restarted 2 functions with changed secrets");
    let orders = lab.orders();
    let commit = |name: &str| {
        let found = orders.iter().skip(seen).find(|order| order.order.function.as_str() == name).unwrap();
        (found.order.event.sha.clone(), found.order.settings.env_process.clone().unwrap())
    };
    assert_eq!(commit("one"), (old.sha.clone(), "run py".to_owned()));
    assert_eq!(commit("two"), (new.sha.clone(), "newer".to_owned()));
    assert_eq!((lab.status("one").unwrap().sha, lab.status("two").unwrap().sha), (old.sha, new.sha));
}

#[tokio::test]
async fn a_commit_that_is_gone_leaves_its_functions_running_and_says_so() {
    let (mut lab, keeper, old) = live().await;
    lab.write("stack.yml", &STACK.replace("fprocess: mine", "fprocess: newer"));
    let new = lab.commit();
    lab.run(&new).await;
    put_live(&lab);
    let gone = "ab".repeat(20);
    let mut one = lab.gateway.function("alice-one").unwrap();
    one.labels.insert(labels::GIT_SHA.to_owned(), gone.clone());
    lab.gateway.put_function(one);
    let seen = lab.orders().len();
    keeper.has("db", "v2");
    let (status, answer) = lab.run(&restart(&old, &["one", "two"])).await;
    let reason =
        "it runs on with its former secrets: the commit abababa is not in alice/app; push the repository again";
    assert_eq!((status, answer), (StatusCode::UNPROCESSABLE_ENTITY, format!("deploy failed: one: {reason}")));
    assert_eq!(lab.orders().len(), seen + 1, "the other one is restarted");
    let told = lab.status("one").unwrap();
    assert_eq!((told.state, told.title.as_str(), told.sha.as_str()), (State::Failure, reason, gone.as_str()));
    assert_eq!(kinds(&lab).last(), Some(&"prune"));
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let (mut lab, keeper, event) = live().await;
    keeper.has("db", "v2");
    lab.git.behave(Manners { status: Some(StatusCode::SERVICE_UNAVAILABLE), ..Manners::default() });
    let (status, _) = lab.run(&restart(&event, &["one"])).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    lab.git.behave(Manners::default());
    keeper.refuses(StatusCode::SERVICE_UNAVAILABLE, "busy");
    assert_eq!(lab.run(&restart(&event, &["one"])).await.0, StatusCode::BAD_GATEWAY);
    lab.gateway.refuse_next("POST /function/buildshiprun", StatusCode::SERVICE_UNAVAILABLE, "busy");
    assert_eq!(lab.run(&restart(&event, &["one"])).await.0, StatusCode::BAD_GATEWAY);
    lab.gateway.refuse_next("GET /system/functions", StatusCode::INTERNAL_SERVER_ERROR, "down");
    assert_eq!(lab.run(&restart(&event, &["one"])).await.0, StatusCode::BAD_GATEWAY);
    assert!(ordered(&lab).is_empty());
    assert_eq!(lab.run(&restart(&event, &["one"])).await.0, StatusCode::OK);
    assert_eq!(lab.status("one").unwrap().state, State::Success, "the last word");
}

#[tokio::test]
async fn a_restart_waits_for_its_turn_and_neither_stops_nor_is_stopped() {
    let (mut lab, keeper, event) = live().await;
    let gate = Gate::start(&mut lab).await;
    lab.write("hello/handler.py", "newer");
    let push = lab.commit();
    keeper.has("db", "v2");
    let (router, gateway) = (lab.router(), lab.gateway.clone());
    let start = |event: &PushEvent, call: &'static str| {
        let request = gateway.signed("git-tar", event, call);
        let response = tower::ServiceExt::oneshot(router.clone(), request);
        tokio::spawn(async move { response.await.unwrap().status() })
    };
    let pushing = start(&push, "call-2");
    gate.one_arrives().await;
    let asked_before = asked(&lab).len();
    let restarting = start(&restart(&event, &["one"]), "call-3");
    let limited = tokio::time::timeout(std::time::Duration::from_millis(300), run(router.clone(), &gateway, &push));
    assert!(limited.await.is_err(), "the restart has come, and waits");
    assert!(!restarting.is_finished() && asked(&lab).len() == asked_before);
    gate.leave.add_permits(100);
    assert_eq!((pushing.await.unwrap(), restarting.await.unwrap()), (StatusCode::OK, StatusCode::OK));
    let sent = gate.sent();
    let of_push = sent.iter().filter(|sent| sent.ends_with(push.sha.short())).count();
    assert_eq!(of_push, 3, "all functions of the push: {sent:?}");
    assert_eq!(sent.last().unwrap(), &format!("one@{}", event.sha.short()));
}

#[tokio::test]
async fn a_restart_whose_secret_is_gone_and_one_of_a_stranger_are_refused() {
    let (mut lab, _keeper, event) = live().await;
    Keeper::start(&lab).has("api", "v1");
    let (status, answer) = lab.run(&restart(&event, &["one"])).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.contains("one: waits for the secret db: "), "{answer}");
    let stranger = PushEvent { owner_id: 8, ..restart(&event, &["one"]) };
    let (status, answer) = lab.run(&stranger).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.starts_with("the login alice is held by someone else"), "{answer}");
    assert!(ordered(&lab).is_empty());
    assert!(!asked(&lab).iter().any(|request| matches!(request, SecretsRequest::Prune(prune) if prune.bare)));
}
