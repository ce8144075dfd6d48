//! The router's own answers as pages, for who asks for pages.

use std::sync::LazyLock;

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use sha2::{Digest, Sha256};

use super::body::Body;

/// The one stylesheet. It is part of every page, and the page's policy names its hash.
const STYLE: &str = include_str!("../../templates/style.css");
/// The name of what is served here.
const PRODUCT: &str = "OpenFaaS Cloud";

/// No script, no frames, no forms, no style but ours, nothing from elsewhere.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// What somebody can do about an answer.
#[derive(Debug, Clone)]
pub(crate) struct Action {
    pub(crate) href: String,
    pub(crate) label: &'static str,
}

/// Makes a page of an answer that is none of a failure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Welcome;

#[derive(Template)]
#[template(path = "answer.html")]
struct Page<'a> {
    code: Option<u16>,
    title: &'a str,
    sentence: &'a str,
    action: Option<&'a Action>,
    style: &'a str,
}

/// True if the caller asks for a page by name, as browsers do.
pub(crate) fn accepts_pages(headers: &HeaderMap) -> bool {
    let texts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = texts.flat_map(|text| text.split(',')).filter_map(|kind| kind.split(';').next());
    kinds.any(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
}

/// An answer of the router's own in the form that `asked`, the request's headers, ask for: a page, or the text as it is.
pub(crate) fn suited(mut response: Response<Body>, asked: &HeaderMap) -> Response<Body> {
    let status = response.status();
    let welcome = response.extensions().get::<Welcome>().is_some();
    if !(status.is_client_error() || status.is_server_error() || welcome) {
        return response;
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    if accepts_pages(asked)
        && let Some(html) = page(&response, welcome)
    {
        *response.body_mut() = Body::own(html);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    }
    response
}

fn page(response: &Response<Body>, welcome: bool) -> Option<String> {
    let status = response.status();
    let again = Action { href: String::new(), label: "Try again" };
    let retry = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(&again);
    let text = response.body().text()?;
    let page = Page {
        code: (!welcome).then_some(status.as_u16()),
        title: if welcome { PRODUCT } else { title(status) },
        sentence: std::str::from_utf8(&text).ok()?.trim_end(),
        action: response.extensions().get().or(retry),
        style: STYLE,
    };
    page.render().ok()
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "Sign in to see this",
        StatusCode::FORBIDDEN => "This is not open to you",
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::METHOD_NOT_ALLOWED => "This cannot be done here",
        StatusCode::MISDIRECTED_REQUEST => "This came the wrong way",
        StatusCode::SERVICE_UNAVAILABLE => "Not at the moment",
        status if status.is_server_error() => "Something went wrong",
        _ => "This address is not served",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::text;

    fn asking(kind: &'static str) -> HeaderMap {
        [(header::ACCEPT, HeaderValue::from_static(kind))].into_iter().collect()
    }

    fn shown(response: Response<Body>, kind: &'static str) -> (Response<Body>, String) {
        let response = suited(response, &asking(kind));
        let text = String::from_utf8(response.body().text().unwrap().to_vec()).unwrap();
        (response, text)
    }

    #[test]
    fn browsers_get_a_page_and_others_the_text() {
        let (page, html) = shown(text(StatusCode::NOT_FOUND, "It is <gone> & 'away'."), "text/html,*/*;q=0.8");
        assert_eq!(page.status(), 404);
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
        assert!(html.contains("<h1>There is nothing here</h1>"), "{html}");
        assert!(html.contains("It is &#60;gone&#62; &#38; &#39;away&#39;."), "{html}");
        assert!(!html.contains("<script") && !html.contains("http"), "nothing is loaded");
        for other in ["*/*", "application/json", "text/htmlx"] {
            let (plain, said) = shown(text(StatusCode::NOT_FOUND, "It is <gone>."), other);
            assert_eq!(
                (said.as_str(), &plain.headers()["vary"]),
                ("It is <gone>.\n", &HeaderValue::from_static("accept"))
            );
            assert_eq!(plain.headers()["content-type"], "text/plain; charset=utf-8");
        }
    }

    #[test]
    fn the_policy_allows_the_page_s_style_alone() {
        let (page, html) = shown(text(StatusCode::SERVICE_UNAVAILABLE, "Soon."), "text/html");
        let style = html.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).unwrap().0;
        let hash = STANDARD.encode(Sha256::digest(style));
        let policy = page.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with(&format!("default-src 'none'; style-src 'sha256-{hash}';")), "{policy}");
        assert!(html.contains(r#"href="">Try again</a>"#), "{html}");
    }

    #[test]
    fn what_is_no_refusal_stays_as_it_is() {
        for status in [StatusCode::OK, StatusCode::SEE_OTHER] {
            let (plain, said) = shown(text(status, "OK"), "text/html");
            assert_eq!((said.as_str(), plain.headers().get("vary")), ("OK\n", None));
        }
    }
}
