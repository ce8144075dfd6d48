use sdk::call::Functions;
use sdk::fake_gateway::{FakeGateway, Message};

use super::*;

const STACK: &str =
    "provider: {name: openfaas}\nfunctions:\n  one: {lang: py, handler: a}\n  two: {lang: py, handler: b}\n";

fn event() -> PushEvent {
    serde_json::from_value(serde_json::json!({
        "host": "h", "owner": "alice", "owner_id": 1, "repo": "r", "repo_id": 2, "private": false, "branch": "main",
        "default_branch": "main", "sha": "a".repeat(40), "html_url": "", "installation": 0, "pusher": "a",
    }))
    .unwrap()
}

fn titles(gateway: &FakeGateway) -> Vec<String> {
    gateway.messages("github-status").iter().map(Message::read::<Status>).map(|status| status.title).collect()
}

#[tokio::test]
async fn the_stacks_status_follows_its_functions_and_is_not_repeated() {
    let gateway = FakeGateway::start().await;
    let env = gateway.env(&[("gateway_pretty_url", "http://user.localhost")], &[]);
    let functions = Functions::read(&env.reader()).unwrap();
    let (event, call) = (event(), CallId::random());
    let reporter = Reporter::start(functions.clone(), call.clone());
    let (auditor, pretty_url) = (Auditor::new("t", functions), PrettyUrl::read(&env.reader()).unwrap());
    let report = Report::new(&event, &call, reporter, &auditor, &pretty_url);
    report.expect("stack.yml", &sdk::stack::parse(STACK).unwrap());
    report.stack(State::InProgress, "begun");
    report.progress();
    report.reporter.flush().await;
    assert_eq!(titles(&gateway), ["begun"], "nothing is new");
    report.live(&"one".parse().unwrap());
    for _ in 0..2 {
        report.reporter.flush().await;
        report.progress();
    }
    report.reporter.flush().await;
    assert_eq!(titles(&gateway), ["begun", "live at http://alice.localhost/one", "1 of 2 functions done"]);
    report.begin(&"two".parse().unwrap(), "building");
    report.conclude(State::Neutral, "superseded by abc");
    report.reporter.flush().await;
    let last: Status = gateway.messages("github-status").last().unwrap().read();
    assert!(last.functions.iter().all(|function| function.state.is_final()), "{:?}", last.functions);
    assert_eq!((last.context.as_str(), last.functions[1].title.as_str()), (STACK_CONTEXT, "superseded by abc"));
}
