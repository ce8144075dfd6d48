//! Pages that people see. They work without a script, and let nobody else's in.

pub(crate) mod account;
pub(crate) mod device;
pub(crate) mod guard;
pub(crate) mod host;
pub(crate) mod login;
pub(crate) mod style;
pub(crate) mod tokens;

use askama::Template;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::DateTime;
use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};

const REFERRER: HeaderName = HeaderName::from_static("referrer-policy");

/// Where people begin to sign in, at of-auth's own host and at all others.
pub(crate) const LOGIN: (&str, &str) = ("/login", "/.ofc/login");

/// A sentence, and perhaps the way to begin anew.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct Message<'a> {
    pub(crate) title: &'a str,
    pub(crate) sentence: &'a str,
    pub(crate) again: Option<&'a str>,
}

/// A page without a form.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(error) => {
            tracing::error!(%error, "A page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page with a form. Without the referrer of this very host, browsers would send the form with `Origin: null`, and
/// it could not be told from one of another host's.
pub(crate) fn form(status: StatusCode, template: &impl Template) -> Response {
    let mut response = page(status, template);
    response.headers_mut().insert(REFERRER, HeaderValue::from_static("same-origin"));
    response
}

/// Sends a browser on, with a GET, and gives it cookies.
pub(crate) fn redirect(to: &str, cookies: &[String]) -> Response {
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
    set_cookies(&mut response, cookies);
    response
}

/// Gives a browser cookies.
pub(crate) fn set_cookies(response: &mut Response, cookies: &[String]) {
    for cookie in cookies {
        if let Ok(value) = HeaderValue::from_str(cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}

/// What every answer says to browsers, unless a page says otherwise.
pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, style::policy());
    let usual = [
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (REFERRER, "no-referrer"),
    ];
    for (name, value) in usual {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// A time as people read it.
pub(crate) fn time(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map(|time| time.format("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}
