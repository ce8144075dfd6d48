//! A form that calls a function, and what it answers.

use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use sdk::access::Access;
use sdk::call::CALL_ID_HEADER;
use sdk::gateway::FunctionStatus;
use sdk::labels;
use serde::Deserialize;
use url::Url;

use super::actions::audit;
use crate::app::App;
use crate::ask;
use crate::page::{self, Shell};
use crate::refusal::Refusal;
use crate::visitor::Place;
use crate::words;

/// A function that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// So much of an answer is shown, in bytes.
const MAX_SHOWN: usize = 64 * 1024;
const METHODS: [&str; 5] = ["POST", "GET", "PUT", "PATCH", "DELETE"];
const KINDS: [&str; 4] = ["text/plain", "application/json", "application/x-www-form-urlencoded", "application/xml"];

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Sent {
    #[serde(default)]
    token: String,
    #[serde(default)]
    method: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    body: String,
}

#[derive(Template)]
#[template(path = "invoke.html")]
struct Page {
    shell: Shell,
    function: String,
    token: String,
    methods: Vec<(&'static str, bool)>,
    kinds: Vec<(&'static str, bool)>,
    path: String,
    body: String,
    answer: Option<Answered>,
}

struct Answered {
    status: String,
    mark: &'static str,
    took: String,
    kind: String,
    text: String,
    is_cut: bool,
}

pub(crate) async fn show(
    State(app): State<App>,
    place: Place,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let (place, _) = callable(&app, place, &name).await?;
    Ok(page::good(&form(&app, &place, name, Sent::default(), None)))
}

pub(crate) async fn call(
    State(app): State<App>,
    place: Place,
    Path((_, name)): Path<(String, String)>,
    headers: HeaderMap,
    sent: Result<Form<Sent>, FormRejection>,
) -> Result<Response, Refusal> {
    let (place, function) = callable(&app, place, &name).await?;
    let Form(sent) = sent.map_err(|_| Refusal::Bad("The form is not understood, or is too long."))?;
    if !app.forms.is_ours(&place.visitor.who, &sent.token, &headers) {
        return Err(Refusal::Form);
    }
    audit(&app, &place, &function, format!("{} was called by hand", function.name)).await;
    let answer = invoke(&app, &place, &function.name, &sent).await;
    Ok(page::good(&form(&app, &place, name, sent, Some(answer))))
}

/// The function, for who may call it.
async fn callable(app: &App, place: Place, name: &str) -> Result<(Place, FunctionStatus), Refusal> {
    let place = place.acting()?;
    let found = ask::function(app, &place, name).await.map_err(|down| Refusal::Down(down.0))?;
    let function = found.ok_or(Refusal::NotFound)?;
    let needed = Access::of(function.annotations.get(labels::ACCESS).map(String::as_str)).role();
    if needed.is_some_and(|needed| place.role < needed) {
        return Err(Refusal::NotFound);
    }
    Ok((place, function))
}

fn form(app: &App, place: &Place, function: String, sent: Sent, answer: Option<Answered>) -> Page {
    Page {
        shell: Shell::about(place, &function, &format!("Call {function}"), "invoke"),
        token: app.forms.token(&place.visitor.who),
        methods: METHODS.into_iter().map(|method| (method, method == sent.method)).collect(),
        kinds: KINDS.into_iter().map(|kind| (kind, kind == sent.kind)).collect(),
        path: if sent.path.is_empty() { "/".to_owned() } else { sent.path },
        body: sent.body,
        function,
        answer,
    }
}

async fn invoke(app: &App, place: &Place, service: &str, sent: &Sent) -> Answered {
    let began = Instant::now();
    let method = METHODS.into_iter().find(|method| *method == sent.method).unwrap_or(METHODS[0]);
    let kind = KINDS.into_iter().find(|kind| *kind == sent.kind).unwrap_or(KINDS[0]);
    let Some(url) = target(app, service, sent.path.trim()) else {
        return Answered::none("Not sent", "A path begins with / and does not lead out of the function.", began);
    };
    let request = app
        .http
        .request(method.parse().unwrap_or(Method::POST), url)
        .header(CONTENT_TYPE, HeaderValue::from_static(kind))
        .header(CALL_ID_HEADER, place.visitor.call.child().to_string())
        .timeout(PATIENCE);
    let request = if method == "GET" { request } else { request.body(sent.body.clone()) };
    match request.send().await {
        Ok(response) => answered(response, began).await,
        Err(_) => Answered::none("No answer", "", began),
    }
}

/// Where the call goes: to this function, whatever the path says. `None` if it would not.
fn target(app: &App, service: &str, path: &str) -> Option<Url> {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let is_path = path.is_empty() || path.starts_with('/');
    let mut url = app.at_gateway(&format!("function/{service}{path}"));
    url.set_query(query);
    // Dots are resolved by now, also encoded ones.
    let function = app.at_gateway(&format!("function/{service}")).path().to_owned();
    let rest = url.path().strip_prefix(&function)?;
    (is_path && (rest.is_empty() || rest.starts_with('/'))).then_some(url)
}

impl Answered {
    fn none(status: &str, text: &str, began: Instant) -> Self {
        let (status, text) = (status.to_owned(), text.to_owned());
        Self { status, mark: "bad", took: took(began), kind: String::new(), text, is_cut: false }
    }
}

async fn answered(mut response: reqwest::Response, began: Instant) -> Answered {
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    let (mut bytes, mut is_cut) = (Vec::new(), false);
    while let (false, Ok(Some(chunk))) = (is_cut, response.chunk().await) {
        let room = MAX_SHOWN - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        is_cut = chunk.len() > room;
    }
    Answered {
        status: status.to_string(),
        mark: if status.is_success() || status.is_redirection() { "good" } else { "bad" },
        took: took(began),
        kind,
        text: String::from_utf8_lossy(&bytes).into_owned(),
        is_cut,
    }
}

fn took(began: Instant) -> String {
    words::took(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX))
}
