//! Posts events to a Slack webhook.

use std::time::Duration;

use sdk::audit::AuditEvent;
use serde::Serialize;
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(5);
/// Slack takes up to 40,000 characters; nobody reads so many.
const MAX_TEXT: usize = 3000;

/// Slack reads no markup in it and fetches no address from it.
#[derive(Serialize)]
struct Message {
    text: String,
    mrkdwn: bool,
    unfurl_links: bool,
    unfurl_media: bool,
}

impl Message {
    fn of(event: &AuditEvent) -> Self {
        Self { text: text(event), mrkdwn: false, unfurl_links: false, unfurl_media: false }
    }
}

#[derive(Clone)]
pub(crate) struct Slack {
    http: reqwest::Client,
    url: Url,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SlackError {
    #[error("Slack does not answer")]
    Unreachable(#[source] reqwest::Error),
    #[error("Slack answered {0}")]
    Refused(reqwest::StatusCode),
}

impl Slack {
    pub(crate) fn new(url: Url) -> Self {
        Self { http: sdk::http::client(), url }
    }

    pub(crate) async fn post(&self, event: &AuditEvent) -> Result<(), SlackError> {
        let request = self.http.post(self.url.clone()).json(&Message::of(event)).timeout(TIMEOUT);
        // The address is the credential, so it must not reach the log with the error.
        let response = request.send().await.map_err(|error| SlackError::Unreachable(error.without_url()))?;
        if response.status().is_success() { Ok(()) } else { Err(SlackError::Refused(response.status())) }
    }
}

/// The event as a line of Slack's markup, in which text of strangers means nothing but itself.
fn text(event: &AuditEvent) -> String {
    let commit = event.sha.chars().take(7).collect::<String>();
    let commit = if commit.is_empty() { commit } else { format!(" at {commit}") };
    let actor = if event.actor.is_empty() { String::new() } else { format!(" by {}", event.actor) };
    let place = match (event.owner.as_str(), event.repo.as_str()) {
        ("", "") => String::new(),
        (owner, "") => format!(" {owner}"),
        (owner, repo) => format!(" {owner}/{repo}"),
    };
    let line: String =
        format!("[{}]{place}{commit}{actor}: {}", event.source, event.message).chars().take(MAX_TEXT).collect();
    line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_cannot_call_the_channel() {
        let event = AuditEvent {
            source: "github-event".to_owned(),
            message: "<!channel> <https://evil.example|click> & more".to_owned(),
            owner: "alice".to_owned(),
            repo: "hello".to_owned(),
            ..AuditEvent::default()
        };
        let expected = "[github-event] alice/hello: &lt;!channel&gt; &lt;https://evil.example|click&gt; &amp; more";
        assert_eq!(text(&event), expected);
        let event =
            AuditEvent { sha: "a".repeat(40), actor: "bob".to_owned(), message: "deployed".to_owned(), ..event };
        assert_eq!(text(&event), "[github-event] alice/hello at aaaaaaa by bob: deployed");
        let nobody = AuditEvent { message: "x".repeat(10_000), source: "s".to_owned(), ..AuditEvent::default() };
        assert_eq!(text(&nobody).len(), MAX_TEXT);
        assert!(text(&nobody).starts_with("[s]: xxx"));
    }
}
