//! The router's own answers as pages, for who asks for pages.

use std::sync::LazyLock;

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
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

/// What matters of a request for the form of an answer. The request itself is gone when some answers are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// Whether pages are asked for.
    pages: bool,
    /// Whether following a link to the same address asks the same once more.
    again: bool,
}

impl Asked {
    /// What this request asks for.
    pub(crate) fn by<B>(request: &Request<B>) -> Self {
        let again = matches!(*request.method(), Method::GET | Method::HEAD);
        Self { pages: accepts_pages(request.headers()), again }
    }

    /// The same of a request that is no [`Request`].
    pub(crate) fn of<'a>(method: &str, accept: impl Iterator<Item = &'a [u8]>) -> Self {
        let pages = name_pages(accept.filter_map(|value| std::str::from_utf8(value).ok()));
        Self { pages, again: matches!(method, "GET" | "HEAD") }
    }
}

/// True if the caller asks for a page by name, as browsers do.
pub(crate) fn accepts_pages(headers: &HeaderMap) -> bool {
    name_pages(headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()))
}

fn name_pages<'a>(texts: impl Iterator<Item = &'a str>) -> bool {
    let mut kinds = texts.flat_map(|text| text.split(',')).filter_map(|kind| kind.split(';').next());
    kinds.any(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
}

/// An answer in the form that was asked for: a page, or the text as it is. What is not the router's own stays as it is.
pub(crate) fn suited(mut response: Response<Body>, asked: Asked) -> Response<Body> {
    if !response.body().is_own() {
        return response;
    }
    let status = response.status();
    let welcome = response.extensions().get::<Welcome>().is_some();
    if !(status.is_client_error() || status.is_server_error() || welcome) {
        return response;
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    if asked.pages
        && let Some(html) = page(&response, welcome, asked.again)
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

fn page(response: &Response<Body>, welcome: bool, again: bool) -> Option<String> {
    let status = response.status();
    let same = Action { href: String::new(), label: "Try again" };
    let retry = (again && passes(status)).then_some(&same);
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

/// Whether the same request may be answered otherwise soon.
fn passes(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502..=504)
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "Sign in to see this",
        StatusCode::FORBIDDEN => "This is not open to you",
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::METHOD_NOT_ALLOWED => "This cannot be done here",
        StatusCode::REQUEST_TIMEOUT => "The request broke off",
        StatusCode::PAYLOAD_TOO_LARGE => "This is too large",
        StatusCode::MISDIRECTED_REQUEST => "This came the wrong way",
        StatusCode::TOO_MANY_REQUESTS => "Too much at once",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "There are too many headers",
        StatusCode::BAD_GATEWAY => "There is no answer",
        StatusCode::SERVICE_UNAVAILABLE => "Not at the moment",
        StatusCode::GATEWAY_TIMEOUT => "This takes too long",
        status if status.is_server_error() => "Something went wrong",
        _ => "This address is not served",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::text;

    fn asking(method: Method, kind: &'static str) -> Asked {
        Asked::by(&Request::builder().method(method).header(header::ACCEPT, kind).body(()).unwrap())
    }

    fn shown(response: Response<Body>, kind: &'static str) -> (Response<Body>, String) {
        let response = suited(response, asking(Method::GET, kind));
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
    fn what_may_pass_can_be_tried_again_and_what_was_sent_is_not_sent_twice() {
        for (code, again) in [(429, true), (502, true), (504, true), (408, false), (413, false), (404, false)] {
            let answer = || text(StatusCode::from_u16(code).unwrap(), "No.");
            let (_, html) = shown(answer(), "text/html");
            assert_eq!(html.contains("Try again"), again, "{code}: {html}");
            let form = suited(answer(), asking(Method::POST, "text/html"));
            let html = form.body().text().unwrap();
            assert!(!String::from_utf8_lossy(&html).contains("Try again"), "{code}");
        }
    }

    #[test]
    fn what_is_no_refusal_stays_as_it_is() {
        for status in [StatusCode::OK, StatusCode::SEE_OTHER] {
            let (plain, said) = shown(text(status, "OK"), "text/html");
            assert_eq!((said.as_str(), plain.headers().get("vary")), ("OK\n", None));
        }
    }
}
