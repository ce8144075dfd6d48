//! Questions to the other parts. What one of them does not answer is missing on the page, and the page says so.

use std::time::Duration;

use sdk::audit::{AuditAnswer, AuditRequest, READ_AUDIT};
use sdk::call::CallError;
use sdk::function_log::{FUNCTION_LOGS_FUNCTION, FunctionLogRequest, Line};
use sdk::gateway::{FunctionStatus, GatewayError};
use sdk::history::{HISTORY_FUNCTION, HistoryRequest, PushRecord};
use sdk::id::{OwnerId, ServiceName};
use sdk::labels;
use sdk::listing::{LIST_FUNCTION, LIST_PAGE, ListRequest, Page, PageRequest, Whose};
use sdk::metrics::{METRICS_FUNCTION, MetricsAnswer, MetricsRequest, Window};
use sdk::sealing::Report;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::app::App;
use crate::visitor::{Place, Visitor};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// How long one may take until a page goes on without it: longer than Prometheus may, instead of which the gateway is asked.
pub(crate) const PATIENCE: Duration = Duration::from_secs(6);
/// How long import-secrets believes who asks.
const BELIEVED_FOR: Duration = Duration::from_secs(15);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    #[error("the answer broke off")]
    Broken(#[from] reqwest::Error),
    #[error("the answer is not understood")]
    Malformed(#[from] serde_json::Error),
    #[error("the answer has more than {MAX_ANSWER} bytes")]
    TooLong,
    #[error("no answer within {PATIENCE:?}")]
    Late(#[from] tokio::time::error::Elapsed),
    #[error("it answered {0}")]
    Refused(http::StatusCode),
}

/// An answer, or a sentence for the page that says who does not answer. Why, the log says.
pub(crate) type Answer<T> = Result<T, Down>;

/// Who does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Down(pub(crate) &'static str);

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} cannot be shown at the moment.", self.0)
    }
}

/// The answer, or who does not give one; the log says why.
pub(crate) fn told<T>(what: &'static str, visitor: &Visitor, answer: Result<T, Unanswered>) -> Answer<T> {
    answer.map_err(|error| {
        tracing::warn!(call_id = %visitor.call, error = sdk::failure::chain(&error), "{what} cannot be shown");
        Down(what)
    })
}

/// All functions of an owner.
pub(crate) async fn functions(app: &App, place: &Place) -> Answer<Vec<FunctionStatus>> {
    told("The functions", &place.visitor, json(app, LIST_FUNCTION, &of(&place.id), &place.visitor).await)
}

/// An owner's first functions by name, and how many there are: of many, that is much less to read.
pub(crate) async fn first(app: &App, place: &Place, limit: usize) -> Answer<Page> {
    let request = PageRequest { of: of(&place.id), filter: String::new(), after: String::new(), limit: Some(limit) };
    told("The functions", &place.visitor, json(app, LIST_PAGE, &request, &place.visitor).await)
}

/// How many functions an owner has.
pub(crate) async fn count(app: &App, place: &Place) -> Answer<usize> {
    first(app, place, 1).await.map(|page| page.total)
}

fn of(id: &OwnerId) -> ListRequest {
    ListRequest { host: id.host.clone(), of: Whose::OwnerId(id.id) }
}

/// A function of an owner, by the name in its address: in stack.yml, or at the gateway where the two differ. Others are not
/// found, whatever they are called.
pub(crate) async fn function(app: &App, place: &Place, name: &str) -> Answer<Option<FunctionStatus>> {
    for candidate in [format!("{}-{name}", place.owner), name.to_owned()] {
        let Ok(candidate) = candidate.parse::<ServiceName>() else { continue };
        let found = timeout(PATIENCE, app.gateway.get(candidate.as_str())).await.map_err(Unanswered::from);
        let found = found.and_then(|answer| Ok(answer?));
        let found = told("The function", &place.visitor, found)?;
        if let Some(found) = found.filter(|found| is_of(found, &place.id)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Whether labels prove a function to be an owner's.
fn is_of(function: &FunctionStatus, owner: &OwnerId) -> bool {
    let says = |label: &str, value: &str| function.labels.get(label).is_some_and(|found| found == value);
    let is_owner = owner.id != 0 && says(labels::GIT_OWNER_ID, &owner.id.to_string());
    is_owner && says(labels::GIT_CLOUD, "1") && says(labels::GIT_SCM, &labels::value(&owner.host))
}

/// How functions did.
pub(crate) async fn metrics(
    app: &App,
    place: &Place,
    functions: Vec<ServiceName>,
    window: Window,
    points: usize,
) -> Answer<MetricsAnswer> {
    let request = MetricsRequest { owner_id: place.id.clone(), functions, window, points };
    told("The figures", &place.visitor, json(app, METRICS_FUNCTION, &request, &place.visitor).await)
}

/// What became of pushes. Whatever is answered, only the owner's own records are believed to be.
pub(crate) async fn history(app: &App, place: &Place, request: HistoryRequest) -> Answer<Vec<PushRecord>> {
    let records: Result<Vec<PushRecord>, _> = json(app, HISTORY_FUNCTION, &request, &place.visitor).await;
    let records = told("The history", &place.visitor, records)?;
    Ok(records.into_iter().filter(|record| record.owner_id == place.id).map(PushRecord::bounded).collect())
}

/// What was done at an owner's; `None` where no trail is kept that can be read. Whatever is answered, only the owner's own events
/// are believed to be.
pub(crate) async fn audit(app: &App, place: &Place, request: AuditRequest) -> Answer<Option<AuditAnswer>> {
    let answer: Result<AuditAnswer, _> = json(app, READ_AUDIT, &request, &place.visitor).await;
    let answer = match answer {
        Err(Unanswered::Call(CallError::Refused { status: http::StatusCode::NOT_IMPLEMENTED, .. })) => Ok(None),
        other => other.map(Some),
    };
    let answer = told("The audit trail", &place.visitor, answer)?;
    Ok(answer.map(|mut answer| {
        answer.events.retain(|event| event.owner_id.as_ref() == Some(&place.id));
        answer
    }))
}

/// A question for all pushes of an owner.
pub(crate) fn all_pushes(place: &Place, limit: usize) -> HistoryRequest {
    let (owner_id, owner) = (place.id.clone(), place.owner.clone());
    HistoryRequest { owner_id, owner, repo: None, sha: None, before: None, limit: Some(limit) }
}

/// What a function wrote.
pub(crate) async fn lines(app: &App, place: &Place, request: &FunctionLogRequest) -> Answer<Vec<Line>> {
    let read = async {
        let bytes = bytes(app, FUNCTION_LOGS_FUNCTION, request, &place.visitor).await?;
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.map(serde_json::from_slice).collect::<Result<Vec<Line>, _>>()?)
    };
    told("The log", &place.visitor, read.await)
}

/// The owner's sealed secrets, asked for in the name of who looks.
pub(crate) async fn secrets(app: &App, visitor: &Visitor) -> Answer<Report> {
    let mut headers = http::HeaderMap::new();
    app.at_secrets.tell(&mut headers, &visitor.who, BELIEVED_FOR);
    let url = app.at_gateway("function/import-secrets/v1/report");
    let read = async {
        let response = app.http.get(url).headers(headers).timeout(PATIENCE).send().await?;
        if !response.status().is_success() {
            return Err(Unanswered::Refused(response.status()));
        }
        Ok(serde_json::from_slice(&bounded(response).await?)?)
    };
    told("The secrets", visitor, read.await)
}

/// The certificate to seal with, as a text; `None` where it does not come, as the page links to it besides.
pub(crate) async fn certificate(app: &App) -> Option<String> {
    let url = app.at_gateway("function/import-secrets/v1/cert.pem");
    let response = app.http.get(url).timeout(PATIENCE).send().await.ok()?.error_for_status().ok()?;
    let pem = String::from_utf8(bounded(response).await.ok()?).ok()?;
    pem.starts_with("-----BEGIN CERTIFICATE-----").then_some(pem)
}

async fn json<T: DeserializeOwned>(
    app: &App,
    function: &str,
    message: &(impl Serialize + Sync),
    visitor: &Visitor,
) -> Result<T, Unanswered> {
    Ok(serde_json::from_slice(&bytes(app, function, message, visitor).await?)?)
}

async fn bytes(
    app: &App,
    function: &str,
    message: &(impl Serialize + Sync),
    visitor: &Visitor,
) -> Result<Vec<u8>, Unanswered> {
    let call = visitor.call.child();
    let read = async { bounded(app.functions.invoke(function, message, &call).await?).await };
    timeout(PATIENCE, read).await?
}

/// The whole answer, if it is not too long.
async fn bounded(mut response: reqwest::Response) -> Result<Vec<u8>, Unanswered> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(Unanswered::TooLong);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
