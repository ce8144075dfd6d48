//! Webhooks have the fields of GitHub's published samples.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::place::Place;

/// What this host does not know, or what only organisations and older Apps have.
const UNKNOWN: [&str; 4] = ["organization", "enterprise", "check_run.pull_requests.", "check_suite.pull_requests."];

fn samples(event: &str, action: &str) -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../github-event/tests/data/published");
    let text = std::fs::read_to_string(format!("{folder}/{event}.jsonl")).unwrap();
    let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!all.is_empty(), "there is no sample of {event}");
    let of_action: Vec<Value> = all.iter().filter(|sample| sample["action"] == action).cloned().collect();
    // Not every action was published; they differ in `changes` alone.
    if of_action.is_empty() { all } else { of_action }
}

fn collect(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                into.insert(format!("{prefix}{name}"));
                collect(&format!("{prefix}{name}."), inner, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(prefix, item, into)),
        _ => {}
    }
}

/// The fields of the sample that is nearest to ours, and not in ours.
fn missing(event: &str, action: &str, ours: &Value) -> Vec<String> {
    let mut own = BTreeSet::new();
    collect("", ours, &mut own);
    let lacks = |sample: Value| -> Vec<String> {
        let mut fields = BTreeSet::new();
        collect("", &sample, &mut fields);
        let known = |field: &String| !UNKNOWN.iter().any(|unknown| field.starts_with(unknown));
        // What is inside of something that is null here cannot be told apart.
        let inside_null = |field: &str| {
            field.match_indices('.').any(|(end, _)| {
                let parent = format!("/{}", field[..end].replace('.', "/"));
                ours.pointer(&parent).is_some_and(Value::is_null)
            })
        };
        // So are the permissions that an App has and ours has not.
        let permission = |field: &str| field.contains("permissions.");
        fields.into_iter().filter(|f| known(f) && !own.contains(f) && !inside_null(f) && !permission(f)).collect()
    };
    samples(event, action).into_iter().map(lacks).min_by_key(Vec::len).unwrap()
}

#[tokio::test]
async fn every_webhook_has_the_fields_of_its_published_sample() {
    let place = Place::new().await;
    let token = place.token(json!({"checks": "write"})).await;
    let run = json!({"name": "a", "head_sha": place.sha, "conclusion": "failure", "details_url": "http://x"});
    let run = place.check_run(&token, run).await;
    let repo = "/repos/alice/hello";
    let suites = place.alice(Method::GET, &format!("{repo}/commits/main/check-suites"), None).await.body;
    let suite = &suites["check_suites"][0]["id"];
    let wish = json!({"ref": "main", "required_contexts": []});
    let steps: [(&str, &str, Method, String, Option<Value>); 7] = [
        ("check_run", "rerequested", Method::POST, format!("{repo}/check-runs/{run}/rerequest"), None),
        ("check_suite", "rerequested", Method::POST, format!("{repo}/check-suites/{suite}/rerequest"), None),
        ("deployment", "created", Method::POST, format!("{repo}/deployments"), Some(wish)),
        ("repository", "renamed", Method::PATCH, repo.to_owned(), Some(json!({"name": "world"}))),
        ("installation_repositories", "removed", Method::DELETE, "/user/installations/1/repositories/1".into(), None),
        ("installation_repositories", "added", Method::PUT, "/user/installations/1/repositories/1".into(), None),
        ("repository", "deleted", Method::DELETE, "/repos/alice/world".into(), None),
    ];
    for (event, action, method, path, body) in steps {
        let before = place.platform.webhooks().len();
        let answer = place.alice(method, &path, body).await;
        assert!(answer.status.is_success(), "{event}.{action}: {answer:?}");
        let webhook = place.platform.wait_for(before + 1).await.remove(before);
        assert_eq!(
            (&webhook.headers["x-github-event"], &webhook.body["action"]),
            (&event.parse().unwrap(), &action.into())
        );
        assert_eq!(missing(event, action, &webhook.body), [] as [String; 0], "{event}.{action}");
    }
    place.push("alice/other", &["main"]).await;
    let before = place.platform.webhooks().len();
    place.app(Method::DELETE, "/app/installations/1", None).await;
    let webhook = place.platform.wait_for(before + 1).await.remove(before);
    assert_eq!(missing("installation", "deleted", &webhook.body), [] as [String; 0]);
}
