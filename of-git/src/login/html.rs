//! What all pages have in common: one look, and headers that let a browser do nothing but show them.

use std::sync::LazyLock;

use askama::Template;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

/// The one style.
pub(crate) const STYLE: &str = include_str!("../../templates/style.css");

/// Nothing is loaded or run; the one style is known by its digest, and forms stay here.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let text = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
});

/// A page as an answer.
pub(crate) fn page(status: StatusCode, content: &impl Template) -> Response {
    match content.render() {
        Ok(text) => (status, headers(), text).into_response(),
        Err(error) => {
            tracing::error!(cause = %error, "a page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The headers of every page and of every redirect between pages.
fn headers() -> HeaderMap {
    let fixed = |name: HeaderName, value| (name, HeaderValue::from_static(value));
    HeaderMap::from_iter([
        fixed(header::CONTENT_TYPE, "text/html; charset=utf-8"),
        fixed(header::CACHE_CONTROL, "no-store"),
        // Other sites learn no address of ours; our own forms still say where they come from.
        fixed(header::REFERRER_POLICY, "same-origin"),
        fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        fixed(header::X_FRAME_OPTIONS, "DENY"),
        fixed(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
    ])
}

/// A redirect that a browser follows with `GET` and nobody keeps.
pub(crate) fn see_other(to: &str) -> Response {
    redirect(StatusCode::SEE_OTHER, to)
}

/// A redirect with this status. An address that is no header value is an error of ours.
pub(crate) fn redirect(status: StatusCode, to: &str) -> Response {
    let Ok(to) = HeaderValue::try_from(to) else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let mut headers = headers();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::LOCATION, to);
    (status, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::super::templates::{Moment, UnknownClient};
    use super::*;

    #[test]
    fn text_is_escaped_and_the_style_is_the_allowed_one() {
        let next = "/x?a=\"><script>";
        let text = Moment { owner: &"alice".parse().unwrap(), next }.render().unwrap();
        assert!(!text.contains("<script") && text.contains("content=\"0; url=/x?a=&#34;"), "{text}");
        let text = UnknownClient { sentence: "<b>&" }.render().unwrap();
        assert!(text.contains("&#60;b&#62;&#38;"), "{text}");
        let style = text.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
        let digest = STANDARD.encode(Sha256::digest(style));
        assert!(POLICY.to_str().unwrap().contains(&format!("'sha256-{digest}'")));
    }
}
