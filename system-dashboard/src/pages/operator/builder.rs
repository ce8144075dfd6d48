//! How the builder is, and how busy.

use http::StatusCode;
use serde::Deserialize;

use super::Part;
use crate::app::App;
use crate::ask::PATIENCE;
use crate::visitor::Visitor;

/// A longer answer is none that is understood, in bytes.
const MAX_ANSWER: usize = 4096;

/// of-builder's answer at `/load`.
#[derive(Debug, Deserialize)]
struct Load {
    builds: u64,
    most: u64,
}

/// What is known of it, each with its name.
pub(super) async fn of(app: &App, visitor: &Visitor) -> Vec<(&'static str, Part)> {
    if app.builder_url.is_none() {
        return vec![("State", Part::new("", "Not known here: builder_url is not set", "calm"))];
    }
    let (ready, load) = tokio::join!(ask(app, visitor, "ready"), ask(app, visitor, "load"));
    let state = match ready {
        Some((status, _)) if status.is_success() => ("Ready", "good"),
        // Another implementation of the interface need not have it.
        Some((StatusCode::NOT_FOUND, _)) => ("Answers; whether it is ready is not told", "calm"),
        Some(_) => ("Not ready: its log says why", "bad"),
        None => ("Does not answer", "bad"),
    };
    let load = load.filter(|(status, _)| status.is_success());
    let load = load.and_then(|(_, body)| serde_json::from_slice::<Load>(&body).ok());
    let builds = match load {
        Some(Load { builds, most }) if builds >= most => (format!("{builds} of {most}, more have to wait"), "busy"),
        Some(Load { builds, most }) => (format!("{builds} of {most} at most"), "calm"),
        None => ("Not told".to_owned(), "calm"),
    };
    vec![("State", Part::new("", state.0, state.1)), ("Builds that run", Part::new("", builds.0, builds.1))]
}

/// The status and the body. None where there is no whole answer.
async fn ask(app: &App, visitor: &Visitor, path: &str) -> Option<(StatusCode, Vec<u8>)> {
    let mut url = app.builder_url.clone()?;
    let prefix = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{prefix}/{path}"));
    match read(app.http.get(url).timeout(PATIENCE)).await {
        Ok(answer) => Some(answer),
        Err(error) => {
            let error = sdk::failure::chain(&error.without_url());
            tracing::warn!(call_id = %visitor.call, error, "The builder does not answer at /{path}");
            None
        }
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<(StatusCode, Vec<u8>), reqwest::Error> {
    let mut response = request.send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), body))
}
