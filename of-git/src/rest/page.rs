//! Lists, a page at a time.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::error::ApiError;
use crate::parameters::Parameters;

/// The size of a page where nothing is said, and the largest, as at GitHub.
const SIZE: (usize, usize) = (30, 100);

/// Reads the query of a request.
pub(crate) fn query(query: Option<&str>) -> Result<Parameters, ApiError> {
    let parsed = Parameters::parse(query.unwrap_or_default().as_bytes());
    parsed.map_err(|error| ApiError::unprocessable(error.to_string()))
}

/// How large a page is to be.
pub(super) fn size(asked: &Parameters) -> Result<usize, ApiError> {
    Ok(number(asked, "per_page", SIZE.0)?.min(SIZE.1))
}

/// One page of a list, with the addresses of the next one and the last one in `Link`.
pub(crate) fn page(address: &str, asked: &Parameters, all: Vec<Value>) -> Result<Response, ApiError> {
    let part = part(address, asked, all)?;
    Ok(part.answer(|shown, _| json!(shown)))
}

/// The same in an object that says how many there are.
pub(crate) fn counted(address: &str, asked: &Parameters, name: &str, all: Vec<Value>) -> Result<Response, ApiError> {
    let part = part(address, asked, all)?;
    Ok(part.answer(|shown, total| json!({ "total_count": total, name: shown })))
}

struct Part {
    shown: Vec<Value>,
    total: usize,
    links: Option<String>,
}

impl Part {
    fn answer(self, body: impl FnOnce(Vec<Value>, usize) -> Value) -> Response {
        let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let mut response = ([no_store], Json(body(self.shown, self.total))).into_response();
        let links = self.links.and_then(|links| HeaderValue::try_from(links).ok());
        response.headers_mut().extend(links.map(|links| (header::LINK, links)));
        response
    }
}

fn part(address: &str, asked: &Parameters, all: Vec<Value>) -> Result<Part, ApiError> {
    let (size, current, total) = (size(asked)?, number(asked, "page", 1)?, all.len());
    let last = total.div_ceil(size).max(1);
    let shown: Vec<Value> = all.into_iter().skip((current - 1).saturating_mul(size)).take(size).collect();
    let rest = asked.query_without_all(&["per_page", "page"]);
    let rest = if rest.is_empty() { rest } else { format!("{rest}&") };
    let link = |page, rel| format!("<{address}?{rest}per_page={size}&page={page}>; rel=\"{rel}\"");
    let links = (current < last).then(|| format!("{}, {}", link(current + 1, "next"), link(last, "last")));
    Ok(Part { shown, total, links })
}

fn number(asked: &Parameters, name: &str, default: usize) -> Result<usize, ApiError> {
    let Some(text) = asked.get(name) else { return Ok(default) };
    let wrong = |_| ApiError(StatusCode::UNPROCESSABLE_ENTITY, format!("{name} has to be a number"));
    text.parse::<usize>().map(|given| given.max(1)).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(query: &str, count: u64) -> (Vec<Value>, Option<String>) {
        let all = (0..count).map(Value::from).collect();
        let asked = Parameters::parse(query.as_bytes()).unwrap();
        let response = page("http://git/api/v3/user/orgs", &asked, all).unwrap();
        let links = response.headers().get(header::LINK).map(|value| value.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (serde_json::from_slice(&body).unwrap(), links)
    }

    #[tokio::test]
    async fn pages_follow_each_other_to_the_last() {
        let (first, links) = get("per_page=2&filter=all", 5).await;
        assert_eq!(first, [0, 1]);
        let expected = "<http://git/api/v3/user/orgs?filter=all&per_page=2&page=2>; rel=\"next\", \
                        <http://git/api/v3/user/orgs?filter=all&per_page=2&page=3>; rel=\"last\"";
        assert_eq!(links.unwrap(), expected);
        assert_eq!(get("per_page=2&page=3", 5).await, (vec![4.into()], None));
        assert_eq!(get("page=99999999999999", 5).await, (vec![], None));
        assert_eq!(get("per_page=0", 2).await.0.len(), 1);
        assert_eq!(get("per_page=1000", 250).await.0.len(), 100);
        assert_eq!(get("", 31).await.0.len(), 30);
        let wrong = Parameters::parse(b"page=x").unwrap();
        assert!(page("", &wrong, vec![]).is_err());
    }

    #[tokio::test]
    async fn a_counted_list_says_how_many_there_are_in_all() {
        let asked = Parameters::parse(b"per_page=2").unwrap();
        let response = counted("http://git/x", &asked, "things", (0..5).map(Value::from).collect()).unwrap();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), json!({"total_count": 5, "things": [0, 1]}));
    }
}
