//! Every request: counted, checked against the description, and answered from what is kept.

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::tokens::Bearer;
use super::{FakeGithub, Kept, Refusal, checks, deliveries, deployments, description, manifests, statuses, tokens};

/// What a handler is given.
pub(super) struct Asked<'a> {
    pub(super) path: &'a [&'a str],
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Value,
    pub(super) bearer: Bearer,
}

impl Asked<'_> {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A successful answer, or why there is none.
pub(super) type Reply = Result<(StatusCode, Value, Option<String>), (StatusCode, &'static str)>;

pub(super) fn ok(body: Value) -> Reply {
    Ok((StatusCode::OK, body, None))
}

pub(super) fn created(body: Value) -> Reply {
    Ok((StatusCode::CREATED, body, None))
}

pub(super) async fn answer(State(fake): State<FakeGithub>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 16 << 20).await else { return StatusCode::BAD_REQUEST.into_response() };
    let path = head.uri.path().to_owned();
    if let Some(page) = manifests::page(&fake, &head, &body) {
        return page;
    }
    let Some(path) = path.strip_prefix("/api/v3/") else { return refused(StatusCode::NOT_FOUND, "no such API") };
    let path: Vec<&str> = path.split('/').collect();
    let query = head.uri.query().unwrap_or_default();
    let mut kept = fake.kept();
    let Some((name, route)) = description::route_of(head.method.as_str(), &path) else {
        kept.faults.push(format!("GitHub has no {} /{}", head.method, path.join("/")));
        return refused(StatusCode::NOT_FOUND, "Not Found");
    };
    kept.calls.push(short(name));
    let faults = route.faults_of_request(query, &body);
    if !faults.is_empty() {
        kept.faults.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
        return refused(StatusCode::UNPROCESSABLE_ENTITY, "the request does not keep to the description");
    }
    let refusal = kept.refusals.get_mut(name).and_then(std::collections::VecDeque::pop_front);
    if let Some(refusal) = refusal.as_ref().filter(|refusal| !refusal.after_the_work) {
        return as_told(refusal);
    }
    let asked = Asked {
        path: &path,
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        bearer: tokens::bearer(&kept, &head.headers),
    };
    let reply = serve(&mut kept, name, &asked);
    if let Some(refusal) = refusal {
        return as_told(&refusal);
    }
    match reply {
        Ok((status, body, next)) => {
            let shown = checks::without_owner(body);
            let faults = route.faults_of_answer(status.as_u16(), &shown);
            kept.faults.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
            let link = next.map(|query| ("link", format!("<{}/{}?{query}>; rel=\"next\"", fake.url, path.join("/"))));
            with_headers((status, axum::Json(shown)).into_response(), link)
        }
        Err((status, text)) => refused(status, text),
    }
}

fn serve(kept: &mut Kept, name: &str, asked: &Asked<'_>) -> Reply {
    match name.split_once(' ').map_or("", |(_, path)| path).rsplit('/').next().unwrap_or_default() {
        "app" => manifests::show(kept, asked),
        "conversions" => manifests::convert(kept, asked),
        "access_tokens" => tokens::issue(kept, asked),
        "deliveries" => deliveries::list(kept, asked),
        "attempts" => deliveries::again(kept, asked),
        "check-runs" if name.starts_with("GET") => checks::list(kept, asked),
        "check-runs" => checks::make(kept, asked),
        "{check_run_id}" => checks::update(kept, asked),
        "status" => statuses::combined(kept, asked),
        "{sha}" => statuses::make(kept, asked),
        "deployments" if name.starts_with("GET") => deployments::list(kept, asked),
        "deployments" => deployments::make(kept, asked),
        "statuses" => deployments::say(kept, asked),
        _ => Err((StatusCode::NOT_FOUND, "Not Found")),
    }
}

/// `POST /repos/{owner}/{repo}/check-runs` as `POST check-runs`; a last word in braces takes the one before with it.
fn short(name: &str) -> String {
    let (method, path) = name.split_once(' ').unwrap_or((name, ""));
    let words: Vec<&str> = path.split('/').collect();
    let last = if words.last().is_some_and(|word| word.starts_with('{')) { 2 } else { 1 };
    let special = path.ends_with("{deployment_id}/statuses");
    let tail = if special { "deployment-statuses".to_owned() } else { words[words.len() - last..].join("/") };
    format!("{method} {tail}")
}

fn as_told(refusal: &Refusal) -> Response {
    with_headers((refusal.status, refusal.text.clone()).into_response(), refusal.headers.iter().cloned())
}

fn refused(status: StatusCode, text: &str) -> Response {
    (status, axum::Json(json!({ "message": text }))).into_response()
}

fn with_headers(mut response: Response, headers: impl IntoIterator<Item = (&'static str, String)>) -> Response {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}
