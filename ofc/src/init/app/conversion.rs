//! The exchange of the code for the App and its secrets.

use std::time::Duration;

use http::StatusCode;
use http::header::ACCEPT;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config_file::Github;

const PATIENCE: Duration = Duration::from_secs(20);
/// A longer answer is not understood, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;
/// A code counts for an hour, by GitHub's rule.
const EXPIRED: &str = "the code is used or older than an hour: begin again";

/// An App as GitHub hands it over.
#[derive(Debug, Deserialize)]
pub(crate) struct Converted {
    pub(crate) id: u64,
    pub(crate) slug: String,
    pub(crate) client_id: String,
    pub(crate) html_url: String,
    pub(crate) client_secret: SecretString,
    pub(crate) webhook_secret: Option<SecretString>,
    pub(crate) pem: SecretString,
}

/// Why GitHub handed nothing over. No sentence has the code or a part of an answer in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConversionError {
    #[error("GitHub cannot be reached at {0}")]
    Unreachable(url::Url, #[source] reqwest::Error),
    #[error("{EXPIRED}")]
    Expired,
    #[error("GitHub answers {0}")]
    Refused(StatusCode),
    #[error("GitHub's answer is not understood: {0}")]
    Nonsense(&'static str),
}

/// Exchanges a code. It counts once, so this is not tried again by itself.
///
/// # Errors
/// When GitHub cannot be reached, refuses, or is not understood.
pub(crate) async fn convert(github: &Github, code: &SecretString) -> Result<Converted, ConversionError> {
    let mut url = github.api_url.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["app-manifests", code.expose_secret(), "conversions"]);
    }
    let request = sdk::http::client().post(url).timeout(PATIENCE).header(ACCEPT, "application/vnd.github+json");
    let response = request.header("x-github-api-version", "2022-11-28").send().await;
    let response =
        response.map_err(|cause| ConversionError::Unreachable(github.api_url.clone(), cause.without_url()))?;
    match response.status() {
        StatusCode::CREATED => {}
        StatusCode::NOT_FOUND => return Err(ConversionError::Expired),
        status => return Err(ConversionError::Refused(status)),
    }
    let text = SecretString::from(sdk::call::bounded_text(response, MAX_ANSWER).await);
    let app: Converted = serde_json::from_str(text.expose_secret()).map_err(|_| ConversionError::Nonsense("no App"))?;
    let plain = |text: &str| text.len() <= 200 && !text.is_empty() && !text.chars().any(char::is_control);
    if app.id == 0 || ![&app.slug, &app.client_id, &app.html_url].into_iter().all(|text| plain(text)) {
        return Err(ConversionError::Nonsense("an App without a number or a name"));
    }
    Ok(app)
}
