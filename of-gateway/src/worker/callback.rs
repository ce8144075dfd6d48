//! Sends the answer of a queued call to the address its sender asked for.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::sleep;
use upstream::strip_hop_by_hop;
use url::Url;

use super::run::Outcome;
use super::{App, Call, Retry};
use crate::invoke::X_CALL_ID;

const X_CALLBACK_URL: HeaderName = HeaderName::from_static("x-callback-url");
const X_FUNCTION_NAME: HeaderName = HeaderName::from_static("x-function-name");
const X_FUNCTION_STATUS: HeaderName = HeaderName::from_static("x-function-status");
const X_DURATION_SECONDS: HeaderName = HeaderName::from_static("x-duration-seconds");

const TIMEOUT: Duration = Duration::from_secs(30);
const RETRY: Retry = Retry { first: Duration::from_millis(250), cap: Duration::from_secs(5), attempts: 4 };

/// The callback address among a request's headers; `Err` says what is wrong with it.
pub(crate) fn address(headers: &HeaderMap) -> Result<Option<Url>, &'static str> {
    let Some(value) = headers.get(X_CALLBACK_URL) else { return Ok(None) };
    let text = value.to_str().map_err(|_| "X-Callback-Url is not text")?;
    let url = Url::parse(text).map_err(|_| "X-Callback-Url is not an absolute URL")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("X-Callback-Url must be an http or https URL with a host");
    }
    Ok(Some(url))
}

pub(super) fn is_wanted(call: &Call) -> bool {
    call.headers.contains_key(X_CALLBACK_URL)
}

/// The function itself does not see where its answer goes.
pub(super) fn strip(headers: &mut HeaderMap) {
    headers.remove(X_CALLBACK_URL);
}

/// Tries a few times; a callback that nobody takes is logged and dropped, the function has run.
pub(super) async fn deliver(app: &App, call: &Call, outcome: &Outcome) {
    let Ok(Some(url)) = address(&call.headers) else { return };
    let mut attempt = 1;
    while let Err(reason) = post(app, url.clone(), call, outcome).await {
        let Some(wait) = RETRY.after(attempt) else {
            // The address may carry a token, so only its host is logged.
            let (host, function, call_id) = (url.host_str(), call.function.as_str(), call.call_id.as_str());
            tracing::warn!(host, function, call_id, reason, "A callback could not be delivered.");
            return;
        };
        sleep(wait).await;
        attempt += 1;
    }
}

async fn post(app: &App, url: Url, call: &Call, outcome: &Outcome) -> Result<(), String> {
    let sent = app
        .http
        .post(url)
        .headers(headers(app, call, outcome))
        .body(outcome.body.clone())
        .timeout(TIMEOUT)
        .send()
        .await
        .map_err(|error| error.without_url().to_string())?;
    match sent.status() {
        status if status.is_server_error() || status.as_u16() == 429 => Err(format!("answered {status}")),
        _ => Ok(()),
    }
}

fn headers(app: &App, call: &Call, outcome: &Outcome) -> HeaderMap {
    let mut headers = outcome.headers.clone();
    strip_hop_by_hop(&mut headers);
    headers.remove(CONTENT_LENGTH);
    headers.remove(HOST);
    let mut set = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    set(X_CALL_ID, call.call_id.clone());
    set(X_FUNCTION_NAME, shown_name(app, call));
    set(X_FUNCTION_STATUS, outcome.status.as_u16().to_string());
    set(X_DURATION_SECONDS, format!("{:.6}", outcome.took.as_secs_f64()));
    headers
}

/// As its caller wrote it: most name no namespace, and mean the default one.
fn shown_name(app: &App, call: &Call) -> String {
    let id = app.queued(&call.function);
    if id.namespace == app.config.namespace { id.name } else { id.to_string() }
}
