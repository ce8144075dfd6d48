//! What is left of a push for who looks at it later.

use http::StatusCode;
use sdk::fake_gateway::Message;
use sdk::history::{PushRecord, RECORD_FUNCTION};
use sdk::status::State;

use crate::gate::Gate;
use crate::lab::{Lab, STACK, git, run};

fn records(lab: &Lab) -> Vec<PushRecord> {
    lab.gateway.messages(RECORD_FUNCTION).iter().map(Message::read).collect()
}

fn last(lab: &Lab) -> PushRecord {
    records(lab).pop().expect("a record")
}

fn table(record: &PushRecord) -> Vec<(&str, State, &str, bool)> {
    record.functions.iter().map(|f| (f.name.as_str(), f.state, f.description.as_str(), f.unchanged)).collect()
}

#[tokio::test]
async fn a_push_is_recorded_from_its_begin_to_its_end() {
    let mut lab = Lab::new().await;
    lab.set("gateway_pretty_url", "http://user.localhost:8000/function");
    let repository = lab.repository("alice/app.git");
    lab.commit();
    git(&repository, &["commit", "--quiet", "--amend", "--author", "Ada L. <ada@x>", "-m", "Say hello\n\nBecause."]);
    let event = lab.event(git(&repository, &["rev-parse", "HEAD"]).trim());
    assert_eq!(lab.run(&event).await.0, StatusCode::OK);
    let (first, done) = (records(&lab).remove(0), last(&lab));
    assert_eq!((first.state, first.ended, first.functions.len()), (State::InProgress, None, 0));
    assert_eq!((&done.owner_id, done.repo_id, &done.sha), (&event.owner_id(), 11, &event.sha));
    assert_eq!((done.call.as_str(), done.branch.as_str(), done.pusher.as_str()), ("call-1", "main", "alice"));
    assert_eq!((done.author.as_str(), done.message.as_str()), ("Ada L.", "Say hello\n\nBecause."));
    assert_eq!((done.html_url.as_str(), done.began), ("http://git.localhost/alice/app", first.began));
    assert_eq!(table(&done), [("hello", State::Success, "live at http://alice.localhost:8000/hello", false)]);
    assert!(done.description.starts_with("Deployed 1 function in ") && done.state == State::Success, "{done:?}");
    let hello = &done.functions[0];
    assert!(done.began <= hello.began.unwrap() && hello.began <= hello.ended && hello.ended <= done.ended, "{done:?}");

    lab.deploy_orders();
    assert_eq!(lab.run(&event).await.0, StatusCode::OK);
    assert_eq!(table(&last(&lab)), [("hello", State::Success, "unchanged", true)]);
}

#[tokio::test]
async fn failures_are_recorded_with_what_was_not_tried() {
    let mut lab = Lab::new().await;
    lab.gateway.refuse_next("POST /function/buildshiprun", StatusCode::UNPROCESSABLE_ENTITY, "it does not build");
    assert_eq!(lab.push().await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let failed = last(&lab);
    assert_eq!(failed.state, State::Failure);
    assert_eq!(table(&failed), [("hello", State::Failure, "it does not build", false)]);
    assert!(failed.ended.is_some() && failed.functions[0].ended.is_some());
    lab.write("stack.yml", "functions: [");
    assert_eq!(lab.push().await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!((last(&lab).state, last(&lab).functions.len(), last(&lab).message.as_str()), (State::Failure, 0, "x"));
}

#[tokio::test]
async fn what_was_removed_is_recorded() {
    let mut lab = Lab::new().await;
    let answer = r#"{"deleted": ["alice-old", "alice-former-2", "somebody-else", "alice-", "alice-No Name"]}"#;
    lab.gateway.answer_with("garbage-collect", |_| (StatusCode::OK, answer.to_owned()));
    assert_eq!(lab.push().await.0, StatusCode::OK);
    assert_eq!(last(&lab).removed.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["old", "former-2"]);
}

#[tokio::test]
async fn a_superseded_push_is_neutral_and_no_push_has_no_record() {
    let mut lab = Lab::new().await;
    let old = lab.commit();
    lab.commit();
    assert_eq!(lab.run(&old).await.0, StatusCode::OK);
    assert_eq!(last(&lab).state, State::Neutral);
    let before = records(&lab).len();
    let deleted = lab.event(&"0".repeat(40));
    assert_eq!(lab.run(&deleted).await.0, StatusCode::OK);
    let mut nobodys = old.clone();
    nobodys.owner_id = 0;
    lab.run(&nobodys).await;
    let mut restart = old;
    restart.restart = vec!["hello".parse().unwrap()];
    assert_eq!(lab.run(&restart).await.0, StatusCode::OK);
    assert_eq!(records(&lab).len(), before);
}

#[tokio::test]
async fn a_lost_record_fails_no_push() {
    let mut lab = Lab::new().await;
    lab.gateway.answer_with(RECORD_FUNCTION, |_| (StatusCode::NOT_FOUND, "no such function".to_owned()));
    assert_eq!(lab.push().await.0, StatusCode::OK);
    // The last one is tried again.
    lab.gateway.answer_with(RECORD_FUNCTION, |body| {
        let record: PushRecord = serde_json::from_slice(body).unwrap();
        let status = if record.state.is_final() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        (status, "busy".to_owned())
    });
    assert_eq!(lab.push().await.0, StatusCode::OK);
    let again = |messages: &[Message]| {
        messages.iter().filter(|message| message.read::<PushRecord>().state.is_final()).count() >= 4
    };
    lab.gateway.messages_when(RECORD_FUNCTION, again).await;
}

#[tokio::test]
async fn a_slow_keeper_holds_no_push_up_and_gets_the_last_word() {
    let mut lab = Lab::new().await;
    lab.write("stack.yml", &format!("{STACK}  two:\n    lang: py\n    handler: hello\n"));
    let gate = Gate::before(&mut lab, RECORD_FUNCTION).await;
    let event = lab.commit();
    let (router, gateway) = (lab.router(), lab.gateway.clone());
    let running = tokio::spawn(async move { run(router, &gateway, &event).await });
    gate.one_arrives().await;
    lab.gateway.messages_when("garbage-collect", |messages| !messages.is_empty()).await;
    assert_eq!(running.await.unwrap().0, StatusCode::OK);
    assert!(records(&lab).is_empty(), "the first is on its way still");
    gate.leave.add_permits(100);
    let ended =
        |messages: &[Message]| messages.iter().any(|message| message.read::<PushRecord>().state == State::Success);
    lab.gateway.messages_when(RECORD_FUNCTION, ended).await;
    assert_eq!(records(&lab).len(), 2, "all that came meanwhile is in one message");
    assert_eq!(last(&lab).functions.len(), 2);
}
