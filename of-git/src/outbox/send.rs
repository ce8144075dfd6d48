//! One try to send a webhook.

use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use sdk::failure::chain;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::Url;

use super::delivery::Delivery;

/// How long the receiver may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How much of an answer is read, in bytes.
const MAX_ANSWER: usize = 4096;

/// Where webhooks go and how they are signed.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) url: Url,
    pub(crate) secret: SecretString,
    pub(crate) first_retry: Duration,
}

/// How one try ended.
pub(super) enum Verdict {
    Taken,
    Refused(String),
    Failed(String),
}

/// What came back.
pub(super) struct Answered {
    pub(super) verdict: Verdict,
    /// The status; 0 where nobody answered.
    pub(super) code: u16,
    pub(super) took: Duration,
    /// The beginning of the answer.
    pub(super) text: String,
}

/// Sends a webhook once.
pub(super) async fn send(client: &reqwest::Client, target: &Target, delivery: &Delivery) -> Answered {
    let request = client
        .post(target.url.clone())
        .timeout(ANSWER)
        .header("content-type", "application/json")
        .header("x-github-event", &delivery.event)
        .header("x-github-delivery", delivery.id.to_string())
        .header("x-hub-signature-256", signature(&target.secret, delivery.body.as_bytes()))
        .body(delivery.body.clone());
    let begun = Instant::now();
    match request.send().await {
        Ok(response) => {
            let status = response.status();
            let text = first_bytes(response).await;
            Answered { verdict: judge(status, &text), code: status.as_u16(), took: begun.elapsed(), text }
        }
        Err(error) => {
            tracing::debug!(cause = chain(&error), "the webhook's receiver could not be reached");
            let verdict = Verdict::Failed("the platform does not answer".into());
            Answered { verdict, code: 0, took: begun.elapsed(), text: String::new() }
        }
    }
}

/// A 4xx answer is final, except those that say "not now" or come from a platform that is still starting.
fn judge(status: StatusCode, text: &str) -> Verdict {
    let later =
        [StatusCode::NOT_FOUND, StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    if status.is_success() {
        return Verdict::Taken;
    }
    if !status.is_client_error() || later.contains(&status) {
        return Verdict::Failed(format!("the platform answered {}", status.as_u16()));
    }
    let sentence = crate::plain::line(text.lines().next().unwrap_or_default(), crate::plain::WIDTH);
    Verdict::Refused(if sentence.is_empty() { format!("the answer was {}", status.as_u16()) } else { sentence })
}

async fn first_bytes(mut response: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() <= MAX_ANSWER {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            _ => break,
        }
    }
    crate::cut::cut(String::from_utf8_lossy(&bytes).into_owned(), MAX_ANSWER)
}

/// The value of `X-Hub-Signature-256`.
fn signature(secret: &SecretString, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
        unreachable!("HMAC takes keys of every length")
    };
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_github_s_documented_example() {
        let secret = SecretString::from("It's a Secret to Everybody");
        let expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(signature(&secret, b"Hello, World!"), expected);
    }

    #[test]
    fn only_what_is_the_webhook_s_fault_is_final() {
        assert!(matches!(judge(StatusCode::ACCEPTED, ""), Verdict::Taken));
        for later in [404, 408, 425, 429, 500, 503, 302] {
            assert!(matches!(judge(StatusCode::from_u16(later).unwrap(), "x"), Verdict::Failed(_)), "{later}");
        }
        let Verdict::Refused(reason) = judge(StatusCode::FORBIDDEN, "no\nmore") else { panic!("it is final") };
        assert_eq!(reason, "no");
    }
}
