//! Everything that is sent, for all states and for inputs at their limits, against GitHub's published description:
//! the fake refuses what does not keep to it, and the lab's end fails where it had to.

use http::StatusCode;
use sdk::status::{Annotation, FunctionState, STACK_CONTEXT, State, Status};

use super::{Lab, status};

const ALL: [State; 5] = [State::Queued, State::InProgress, State::Success, State::Failure, State::Neutral];

#[expect(clippy::unwrap_used, reason = "test helper")]
fn extreme(context: &str, state: State, text: &str) -> Status {
    let short: String = text.chars().take(400).collect();
    let remark = |n: u32| Annotation {
        path: if n == 7 { format!("/{short}") } else { format!("a/{n}") },
        line: if n == 0 { 0 } else { u32::MAX - n },
        message: if n == 1 { text.to_owned() } else { short.clone() },
    };
    let row = |n: usize| FunctionState {
        name: format!("f-{n}").parse().unwrap(),
        state: ALL[n % 5],
        title: short.clone(),
        millis: Some(u64::MAX),
        url: Some(if n.is_multiple_of(2) { format!("https://{}/", "x".repeat(1_900)) } else { short.clone() }),
    };
    Status {
        log: text.to_owned(),
        title: text.to_owned(),
        annotations: (0..60).map(remark).collect(),
        functions: (0..120).map(row).collect(),
        ..status(context, state, "")
    }
}

fn texts() -> [String; 6] {
    [
        String::new(),
        "`".repeat(70_000),
        "ä|@`<".repeat(14_000),
        "\u{0}\u{1b}[31m\r\n".repeat(10_000),
        "🦀".repeat(66_000),
        "](javascript:x) ![x](y) <script>".repeat(2_200),
    ]
}

/// Each status as the first of its push, and as a later one.
async fn all_bodies(use_checks: &str) {
    for text in texts() {
        let lab = Lab::start(&[("use_checks", use_checks), ("use_deployments", "true")]).await;
        for (number, state) in ALL.into_iter().enumerate() {
            // As long as it gets only where logs are; the rest is about the form.
            let text: String = text.chars().take(if state == State::Failure { usize::MAX } else { 500 }).collect();
            for context in [STACK_CONTEXT, "greet"] {
                let (first, later) = (format!("call-{number}"), format!("change-{number}"));
                let statuses = [
                    (&first, extreme(context, state, &text)),
                    (&later, status(context, State::Queued, "")),
                    (&later, extreme(context, state, &text)),
                ];
                for (call, status) in statuses {
                    let (code, answer) = lab.send_in(call, &status).await;
                    assert_eq!(code, StatusCode::OK, "{state:?} of {context}: {answer}");
                }
            }
        }
        assert_eq!(lab.github.faults(), [""; 0]);
        let said = lab.github.runs().len() + lab.github.statuses().len();
        assert!(said > 15, "{said}");
        assert_eq!(lab.github.deployments().len(), 1);
        for run in lab.github.runs() {
            assert!(run["output"]["annotations_count"].as_u64() <= Some(50));
            assert!(run["output"]["title"].as_str().unwrap_or_default().chars().count() <= 255);
        }
    }
}

#[tokio::test]
async fn check_runs_and_deployments() {
    all_bodies("true").await;
}

#[tokio::test]
async fn commit_statuses_and_deployments() {
    all_bodies("false").await;
}
