//! What all pages have in common: the frame, and what every answer says to browsers.

use std::io::Write;

use askama::Template;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderName, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::ansi;
use crate::visitor::{Place, Visitor};

/// Nothing from elsewhere, and nothing that is written into a page.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
/// Longer pages are not compressed here; there are none.
const MAX_PAGE: usize = 16 * 1024 * 1024;

/// The frame around a page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shell {
    /// What the page is about, for the window's title.
    pub(crate) title: String,
    /// Who looks.
    pub(crate) login: String,
    /// Whether the operator's page is theirs.
    pub(crate) operator: bool,
    /// Whose things are looked at; empty where it is nobody's.
    pub(crate) owner: String,
    /// Which function, if it is one.
    pub(crate) function: String,
    /// Which of the tabs is open.
    pub(crate) tab: &'static str,
}

impl Shell {
    /// Of a page about nobody's things.
    pub(crate) fn of(visitor: &Visitor, title: &str, tab: &'static str) -> Self {
        let who = &visitor.who;
        Self { title: title.to_owned(), login: who.login.to_string(), operator: who.operator, tab, ..Self::default() }
    }

    /// Of a page about an owner's things.
    pub(crate) fn at(place: &Place, title: &str, tab: &'static str) -> Self {
        Self { owner: place.owner.to_string(), ..Self::of(&place.visitor, title, tab) }
    }

    /// Of a page about a function.
    pub(crate) fn about(place: &Place, function: &str, title: &str, tab: &'static str) -> Self {
        Self { function: function.to_owned(), ..Self::at(place, title, tab) }
    }

    pub(crate) fn css(&self) -> &'static str {
        crate::assets::css()
    }

    pub(crate) fn js(&self) -> &'static str {
        crate::assets::js()
    }
}

/// A page.
pub(crate) fn answer(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(mut html) => {
            // What strangers write is text by the templates; here it loses what would turn or end the text around it.
            html.retain(|c| !ansi::is_unseen(c));
            (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "A page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page that is well.
pub(crate) fn good(template: &impl Template) -> Response {
    answer(StatusCode::OK, template)
}

/// Adds what every answer says to browsers, unless it says otherwise, and compresses pages.
pub(crate) async fn finish(request: Request, next: Next) -> Response {
    let takes_gzip = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    let usual: [(HeaderName, &str); 5] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        // Without it browsers would send forms with `Origin: null`.
        (REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in usual {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    if takes_gzip && is_text(response.headers()) { compressed(response).await } else { response }
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("gzip"))
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    ["text/html", "text/css", "text/javascript", "image/svg"].iter().any(|text| kind.starts_with(text))
}

async fn compressed(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, MAX_PAGE).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    match encoder.write_all(&bytes).and_then(|()| encoder.finish()) {
        Ok(packed) => {
            head.headers.remove(CONTENT_LENGTH);
            head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            head.headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
            Response::from_parts(head, Body::from(packed))
        }
        Err(_) => Response::from_parts(head, Body::from(bytes)),
    }
}
