//! Calls of the sample's functions through the router, shown as `curl` would be.

use std::time::{Duration, Instant};

use anyhow::Context;

use crate::instance::Record;
use crate::report::Trouble;
use crate::terminal::{FAINT, duration, print};

/// A warm function answers within milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// So many lines of an answer are shown.
const SHOWN_LINES: usize = 5;

/// One call, and what its answer must hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    path: &'static str,
    body: Option<&'static str>,
    expected: &'static str,
}

const SENTENCE: &str = "to be or not to be";

/// One call of each function.
pub(super) const ALL: [Call; 3] = [
    Call { path: "/greet?name=Ada", body: None, expected: "Hello, Ada!" },
    Call { path: "/count", body: Some(SENTENCE), expected: "\"or\"" },
    Call { path: "/page", body: None, expected: "<title>Hello</title>" },
];

/// The call that tells that the changed line is live: only the favourite is left.
pub(super) const CHANGED: Call = Call { path: "/count", body: Some(SENTENCE), expected: "\"words\":6" };

/// Calls, shows the answer, and checks it.
pub(super) async fn shown(record: &Record, call: Call) -> anyhow::Result<()> {
    let quoted = |text: &str| if text.contains('?') { format!("'{text}'") } else { text.to_owned() };
    let url = quoted(&format!("{}{}", record.url("demo"), call.path));
    let data = call.body.map(|body| format!("-d '{body}' ")).unwrap_or_default();
    print(&format!("{FAINT}$ curl {data}{url}{FAINT:#}\n"))?;
    let started = Instant::now();
    let answer = ask(record, call).await.with_context(|| format!("{url} does not answer"))?;
    print(&excerpt(&answer, started.elapsed()))?;
    if compact(&answer).contains(&compact(call.expected)) {
        return Ok(());
    }
    Err(Trouble::new(format!("the answer of {url} is not the one that its code gives")).into())
}

async fn ask(record: &Record, call: Call) -> anyhow::Result<String> {
    let http = sdk::http::client();
    // The name goes into the header alone: not every resolver knows the names below `localhost`.
    let url = format!("http://{}{}", record.router, call.path);
    let request = match call.body {
        Some(body) => http.post(url).body(body),
        None => http.get(url),
    };
    let response = request.header("host", record.host("demo")).timeout(PATIENCE).send().await?;
    let status = response.status();
    let text = sdk::call::bounded_text(response, 64 * 1024).await;
    anyhow::ensure!(status.is_success(), "{status}: {text}");
    Ok(text)
}

fn excerpt(answer: &str, took: Duration) -> String {
    let mut text: String = answer.lines().take(SHOWN_LINES).map(|line| format!("{line}\n")).collect();
    let more = answer.lines().count().saturating_sub(SHOWN_LINES);
    if more > 0 {
        text.push_str(&format!("{FAINT}... {more} more lines{FAINT:#}\n"));
    }
    text.push_str(&format!("{FAINT}({}){FAINT:#}\n", duration(took)));
    text
}

fn compact(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_answers_are_cut_and_layout_does_not_matter() {
        let text = excerpt("1\n2\n3\n4\n5\n6\n7", Duration::from_millis(3));
        assert!(anstream::adapter::strip_str(&text).to_string().ends_with("5\n... 2 more lines\n(3 ms)\n"));
        assert_eq!(compact("{ \"words\": 6 }"), "{\"words\":6}");
    }
}
