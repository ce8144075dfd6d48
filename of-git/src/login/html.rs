//! What all pages have in common: one look, and headers that let a browser do nothing but show them.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("style.css");

/// Nothing is loaded or run; the one style is known by its digest, and forms stay here.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let text = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
});

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) title: String,
    /// Where the browser goes by itself.
    pub(crate) next: Option<String>,
    pub(crate) body: Markup,
}

impl Page {
    /// A page that is as it should be.
    pub(crate) fn new(title: impl Into<String>, body: Markup) -> Self {
        Self { status: StatusCode::OK, title: title.into(), next: None, body }
    }

    /// A page that says what is wrong.
    pub(crate) fn refusal(status: StatusCode, title: impl Into<String>, body: Markup) -> Self {
        Self { status, ..Self::new(title, body) }
    }

    fn render(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    @if let Some(next) = &self.next {
                        meta http-equiv="refresh" content={ "0; url=" (next) };
                    }
                    title { (self.title) " · OpenFaaS Cloud" }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main {
                        p.place { "OpenFaaS Cloud · git host" }
                        h1 { (self.title) }
                        (self.body)
                    }
                }
            }
        }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        (self.status, headers(), self.render().into_string()).into_response()
    }
}

/// The headers of every page and of every redirect between pages.
pub(crate) fn headers() -> HeaderMap {
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
    use super::*;

    #[test]
    fn text_is_escaped_and_the_style_is_the_allowed_one() {
        let page = Page { next: Some("/x?a=\"><script>".into()), ..Page::new("<b>", html! { p { "a&b" } }) };
        let text = page.render().into_string();
        assert!(!text.contains("<script") && text.contains("&lt;b&gt;") && text.contains("a&amp;b"), "{text}");
        let style = text.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
        let digest = STANDARD.encode(Sha256::digest(style));
        assert!(POLICY.to_str().unwrap().contains(&format!("'sha256-{digest}'")));
    }
}
