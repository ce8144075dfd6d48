//! The routes by which the platform asks who has signed in.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sdk::id::Owner;
use serde_json::Value;

use super::member::{membership, organisation, profile, user};
use super::tokens::Person;
use crate::api::ApiError;
use crate::app::App;
use crate::auth::bearer_token;
use crate::clock;
use crate::organisations::Role;
use crate::parameters::Parameters;

/// The size of a page where nothing is said, and the largest, as at GitHub.
const PAGE: (usize, usize) = (30, 100);

/// `GET /api/v3/user`.
pub(crate) async fn show(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, ApiError> {
    let person = whose(&app, &headers)?;
    let about = app.owners.about(&person.owner).ok_or_else(bad_credentials)?;
    let base = app.config.public_base();
    let shown = profile(base, &person.owner, person.number, about.repositories, about.created_at);
    Ok(([no_store()], Json(shown)).into_response())
}

/// `GET /api/v3/user/memberships/orgs`.
pub(crate) async fn memberships(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let person = whose(&app, &headers)?;
    let asked = read(query)?;
    if asked.get("state").is_some_and(|state| state == "pending") {
        return Ok(([no_store()], Json(Value::Array(Vec::new()))).into_response());
    }
    let base = app.config.public_base();
    let somebody = user(base, &person.owner, person.number);
    let all = of(&app, &person).await?.into_iter();
    let all = all.map(|(login, number, role)| membership(&organisation(base, &login, number), &somebody, role));
    page(base, "/user/memberships/orgs", &asked, all.collect())
}

/// `GET /api/v3/user/orgs`.
pub(crate) async fn organisations(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let person = whose(&app, &headers)?;
    let asked = read(query)?;
    let base = app.config.public_base();
    let all = of(&app, &person).await?.into_iter().map(|(login, number, _)| organisation(base, &login, number));
    page(base, "/user/orgs", &asked, all.collect())
}

/// Whose token it is. The platform's own token is nobody's.
fn whose(app: &App, headers: &HeaderMap) -> Result<Person, ApiError> {
    let missing = || ApiError(StatusCode::UNAUTHORIZED, "Requires authentication".into());
    let token = bearer_token(headers).ok_or_else(missing)?;
    if app.keys.bearer(headers).is_ok() {
        return Err(ApiError(StatusCode::FORBIDDEN, "Resource not accessible by integration".into()));
    }
    let person = app.oauth.as_ref().and_then(|oauth| oauth.tokens.whose(token, clock::now()));
    // A login that belongs to somebody else by now is not the person's who signed in.
    person.filter(|person| app.owners.number(&person.owner) == Some(person.number)).ok_or_else(bad_credentials)
}

fn bad_credentials() -> ApiError {
    ApiError(StatusCode::UNAUTHORIZED, "Bad credentials".into())
}

/// Somebody's organisations, with their numbers.
async fn of(app: &App, person: &Person) -> Result<Vec<(Owner, u64, Role)>, ApiError> {
    let failed = |error: std::io::Error| {
        tracing::error!(cause = %error, "the organisations could not be read");
        ApiError(StatusCode::INTERNAL_SERVER_ERROR, "The organisations could not be read.".into())
    };
    let mut all = Vec::new();
    for (login, role) in app.organisations.of(&person.owner).await.map_err(failed)? {
        let number = app.owners.register_owner(&login).await.map_err(failed)?;
        all.push((login, number, role));
    }
    Ok(all)
}

fn read(query: Option<String>) -> Result<Parameters, ApiError> {
    let invalid = |error: crate::parameters::Ambiguous| ApiError(StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
    Parameters::parse(query.unwrap_or_default().as_bytes()).map_err(invalid)
}

/// One page of a list, with the addresses of the next one and the last one in `Link`.
fn page(base: &str, path: &str, asked: &Parameters, all: Vec<Value>) -> Result<Response, ApiError> {
    let number = |name: &str, default: usize| match asked.get(name) {
        None => Ok(default),
        Some(text) => {
            let wrong = || ApiError(StatusCode::UNPROCESSABLE_ENTITY, format!("{name} has to be a number"));
            text.parse::<usize>().map(|given| given.max(1)).map_err(|_| wrong())
        }
    };
    let (size, current) = (number("per_page", PAGE.0)?.min(PAGE.1), number("page", 1)?);
    let last = all.len().div_ceil(size).max(1);
    let shown: Vec<Value> = all.into_iter().skip((current - 1).saturating_mul(size)).take(size).collect();
    let mut response = ([no_store()], Json(shown)).into_response();
    let address = |page, rel| format!("<{base}/api/v3{path}?per_page={size}&page={page}>; rel=\"{rel}\"");
    if current < last {
        let links = format!("{}, {}", address(current + 1, "next"), address(last, "last"));
        response.headers_mut().extend(HeaderValue::try_from(links).map(|links| (header::LINK, links)));
    }
    Ok(response)
}

fn no_store() -> (http::HeaderName, HeaderValue) {
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(query: &str, count: u64) -> (Vec<Value>, Option<String>) {
        let all = (0..count).map(Value::from).collect();
        let response = page("http://git", "/user/orgs", &Parameters::parse(query.as_bytes()).unwrap(), all).unwrap();
        let links = response.headers().get(header::LINK).map(|value| value.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (serde_json::from_slice(&body).unwrap(), links)
    }

    #[tokio::test]
    async fn pages_follow_each_other_to_the_last() {
        let (first, links) = get("per_page=2", 5).await;
        assert_eq!(first, [0, 1]);
        let expected = "<http://git/api/v3/user/orgs?per_page=2&page=2>; rel=\"next\", \
                        <http://git/api/v3/user/orgs?per_page=2&page=3>; rel=\"last\"";
        assert_eq!(links.unwrap(), expected);
        assert_eq!(get("per_page=2&page=3", 5).await, (vec![4.into()], None));
        assert_eq!(get("page=99999999999999", 5).await, (vec![], None));
        assert_eq!(get("per_page=0", 2).await.0.len(), 1);
        assert_eq!(get("per_page=1000", 250).await.0.len(), 100);
        assert_eq!(get("", 31).await.0.len(), 30);
        let wrong = Parameters::parse(b"page=x").unwrap();
        assert!(page("", "", &wrong, vec![]).is_err());
    }
}
