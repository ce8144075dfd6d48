#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use axum::Router;
use axum::extract::State as Shared;
use axum::routing::post;
use http::StatusCode;
use tokio::sync::mpsc;

use super::*;
use crate::fake_gateway::{FakeGateway, PAYLOAD_SECRET};
use crate::status::State;
use crate::status::tests::status;

const STATUS_FUNCTION: &str = "github-status";
const ROUTE: &str = "POST /function/github-status";

fn reporter(gateway: &FakeGateway) -> Reporter {
    let functions = Functions::read(&gateway.env(&[], &[]).reader()).unwrap();
    Reporter::start(functions, CallId::random())
}

#[tokio::test]
async fn the_last_word_is_said_again_and_what_comes_before_it_is_not() {
    let gateway = FakeGateway::start().await;
    let reporter = reporter(&gateway);
    for state in [State::InProgress, State::Success] {
        gateway.refuse_next(ROUTE, StatusCode::BAD_GATEWAY, "GitHub is down");
        reporter.report(status(STACK_CONTEXT, state));
        reporter.flush().await;
    }
    let told: Vec<State> = gateway.messages(STATUS_FUNCTION).iter().map(|m| m.read::<Status>().state).collect();
    assert_eq!(told, [State::Success]);
    gateway.refuse_next(ROUTE, StatusCode::UNPROCESSABLE_ENTITY, "no such commit");
    reporter.report(status(STACK_CONTEXT, State::Failure));
    reporter.flush().await;
    assert_eq!(gateway.messages(STATUS_FUNCTION).len(), 1, "what is refused for good is not said again");
}

/// A status function that answers each call when it is told to.
struct SlowHost {
    reporter: Reporter,
    arrived: mpsc::UnboundedReceiver<Status>,
    leave: Arc<Semaphore>,
}

type Arrivals = (mpsc::UnboundedSender<Status>, Arc<Semaphore>);

impl SlowHost {
    async fn start() -> Self {
        let (sender, arrived) = mpsc::unbounded_channel();
        let leave = Arc::new(Semaphore::new(0));
        let answer = async |Shared((sender, leave)): Shared<Arrivals>, body: bytes::Bytes| {
            sender.send(serde_json::from_slice(&body).unwrap()).unwrap();
            leave.acquire().await.unwrap().forget();
        };
        let routes =
            Router::new().route("/function/github-status", post(answer)).with_state((sender, Arc::clone(&leave)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let functions = Functions::new(url.parse().unwrap(), PAYLOAD_SECRET.into());
        Self { reporter: Reporter::start(functions, CallId::random()), arrived, leave }
    }

    async fn next(&mut self) -> (String, State) {
        let waited = tokio::time::timeout(Duration::from_secs(20), self.arrived.recv()).await;
        let status = waited.unwrap().unwrap();
        (status.context, status.state)
    }
}

#[tokio::test]
async fn a_slow_host_is_told_where_things_are_and_not_where_they_were() {
    let mut host = SlowHost::start().await;
    host.reporter.report(status("greet", State::Queued));
    assert_eq!(host.next().await, ("greet".to_owned(), State::Queued));
    for state in [State::InProgress, State::InProgress, State::Success] {
        host.reporter.report(status("greet", state));
    }
    host.reporter.report(status("other", State::InProgress));
    assert_eq!(host.next().await, ("other".to_owned(), State::InProgress), "contexts do not wait for each other");
    host.leave.add_permits(100);
    assert_eq!(host.next().await, ("greet".to_owned(), State::Success));
    host.reporter.flush().await;
    assert!(host.arrived.try_recv().is_err(), "nothing else was said");
}

#[tokio::test]
async fn the_last_word_on_the_stack_waits_for_all_others_and_earlier_ones_do_not() {
    let mut host = SlowHost::start().await;
    for number in 0..20 {
        host.reporter.report(status(&format!("fn-{number}"), State::Success));
    }
    host.reporter.report(status(STACK_CONTEXT, State::Success));
    let mut told = Vec::new();
    for _ in 0..21 {
        host.leave.add_permits(1);
        told.push(host.next().await.0);
    }
    assert_eq!(told.last().unwrap(), STACK_CONTEXT);
    host.leave.add_permits(100);
    host.reporter.flush().await;

    host.leave.forget_permits(usize::MAX);
    host.reporter.report(status("greet", State::InProgress));
    host.reporter.report(status(STACK_CONTEXT, State::InProgress));
    let mut both = [host.next().await.0, host.next().await.0];
    both.sort();
    assert_eq!(both, ["greet", STACK_CONTEXT]);
}

#[tokio::test]
async fn each_context_keeps_its_order() {
    let gateway = FakeGateway::start().await;
    let reporter = reporter(&gateway);
    for state in [State::Queued, State::InProgress, State::Success] {
        for number in 0..20 {
            reporter.report(status(&format!("fn-{number}"), state));
        }
    }
    reporter.flush().await;
    let told: Vec<Status> = gateway.messages(STATUS_FUNCTION).iter().map(|m| m.read()).collect();
    for number in 0..20 {
        let of_one: Vec<_> = told.iter().filter(|status| status.context == format!("fn-{number}")).collect();
        assert!(of_one.is_sorted_by_key(|status| status.at), "fn-{number}");
        assert_eq!(of_one.last().unwrap().state, State::Success);
    }
}
