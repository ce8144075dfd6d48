use std::sync::Arc;

use sdk::gateway::FunctionDeployment;

use super::*;
use crate::transit::Container;

#[test]
fn names_are_rfc_1123_labels() {
    for good in ["a", "alice-hello", "0x1", &"x".repeat(63)] {
        assert!(valid_name(good), "{good} is a label");
    }
    for bad in ["", "-a", "a-", "A", "a_b", "a.b", "a/b", "ä", &"x".repeat(64)] {
        assert!(!valid_name(bad), "{bad} is no label");
    }
}

#[test]
fn a_path_is_split_at_the_first_slash_and_the_last_dot() {
    let parsed = FunctionRef::parse("echo.openfaas-fn/a.b/c");
    assert_eq!(parsed, FunctionRef { name: "echo", namespace: Some("openfaas-fn"), rest: "/a.b/c" });
    assert_eq!(parsed.id("other"), FunctionId::new("echo", "openfaas-fn"));
    assert_eq!(FunctionId::parse(&parsed.id("other").to_string()), Some(parsed.id("other")));
    assert_eq!(FunctionRef::parse("echo/x").id("other"), FunctionId::new("echo", "other"));
    assert_eq!(FunctionRef::parse("echo"), FunctionRef { name: "echo", namespace: None, rest: "" });
}

fn two_replicas() -> Containers {
    let upstream = || Some(Container::new(([127, 0, 0, 1], 1).into()));
    Containers {
        spec: Arc::new(FunctionDeployment::default()),
        settings: Arc::new(Settings::of_live(&FunctionDeployment::default())),
        generation: 1,
        image_id: String::new(),
        secrets: String::new(),
        replicas: vec![Replica::new("a".into(), 0, upstream()), Replica::new("b".into(), 1, upstream())],
        parked: None,
    }
}

#[test]
fn the_least_loaded_ready_replica_is_chosen() {
    let containers = two_replicas();
    let first = containers.choose().unwrap();
    let second = containers.choose().unwrap();
    assert!(!Arc::ptr_eq(&first.container, &second.container));
    containers.replicas[1].set_upstream(None);
    let third = containers.choose().unwrap();
    assert!(Arc::ptr_eq(&first.container, &third.container));
    containers.replicas[0].set_upstream(None);
    assert_eq!(containers.choose().err(), Some(NoReplica::NotReady));
}

#[test]
fn a_replica_gets_no_more_requests_than_it_takes() {
    let mut containers = two_replicas();
    let settings = Settings { max_in_flight: 1, ..Settings::of_live(&FunctionDeployment::default()) };
    containers.settings = Arc::new(settings);
    let first = containers.choose().unwrap();
    let second = containers.choose().unwrap();
    assert_eq!(containers.choose().err(), Some(NoReplica::Full));
    drop(first);
    assert!(containers.choose().is_ok());
    drop(second);
}

#[test]
fn a_replica_that_fails_is_passed_over_while_there_is_another() {
    let containers = two_replicas();
    (0..3).for_each(|_| containers.replicas[0].failed());
    let chosen = || containers.choose().unwrap();
    let all: Vec<_> = (0..5).map(|_| chosen()).collect();
    let second = containers.replicas[1].upstream().unwrap();
    assert!(all.iter().all(|chosen| Arc::ptr_eq(&chosen.container, &second)));
    (0..3).for_each(|_| containers.replicas[1].failed());
    assert!(containers.choose().is_ok(), "where all fail, trying is better than refusing");
    containers.replicas[0].answered();
    let first = containers.replicas[0].upstream().unwrap();
    assert!(Arc::ptr_eq(&chosen().container, &first));
}

#[tokio::test]
async fn a_replica_is_idle_when_its_last_request_ended() {
    let containers = two_replicas();
    let replica = Arc::clone(&containers.replicas[0]);
    replica.idle().await;
    let request = containers.choose().unwrap();
    let waiting = tokio::spawn(async move { replica.idle().await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(request);
    waiting.await.unwrap();
}
