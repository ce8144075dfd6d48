//! What is said to those who may not, and where they are sent to sign in.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};
use session::protocol::{HOST_PAGES, Scope};

use crate::reply::{self, Action, Body};

/// A longer path and query is not brought along through the sign-in.
const MAX_BACK: usize = 2000;

/// Nobody is signed in: a browser is sent to where that is done, everybody else is told.
pub(crate) fn sign_in(method: &Method, headers: &HeaderMap, path: &str, query: Option<&str>) -> Response<Body> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if !reads || !reply::accepts_pages(headers) {
        let mut response = unauthorised(
            "Sign in to see this: it is not public. Send an API token as 'Authorization: Bearer …', or open it in a browser.",
        );
        // For who sent a form.
        let action = Action { href: login_address(path, query), label: "Sign in" };
        response.extensions_mut().insert(action);
        return response;
    }
    let location = HeaderValue::try_from(login_address(path, query));
    let Ok(location) = location else { return unauthorised("Sign in to see this: it is not public.") };
    let mut response = own(StatusCode::SEE_OTHER, "Sign in first.");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// At a custom domain nobody can sign in.
pub(crate) fn not_here() -> Response<Body> {
    unauthorised(
        "This function is not public, and people cannot sign in at this host. Use its owner's host, or send an API token as 'Authorization: Bearer …'.",
    )
}

/// The token counts no more, or never did.
pub(crate) fn bad_token() -> Response<Body> {
    let mut response = unauthorised("The API token is not valid here.");
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

/// The caller was known, and is not any more.
pub(crate) fn ended() -> Response<Body> {
    let mut response =
        unauthorised("The session or API token that this was asked with has ended meanwhile. Sign in, and ask again.");
    // This very address, which is where signing in begins.
    response.extensions_mut().insert(Action { href: String::new(), label: "Sign in" });
    response
}

/// The caller is known, and may not.
pub(crate) fn forbidden(login: &str, owner: &str) -> Response<Body> {
    let sentence = format!("You are signed in as {login}, who may not call this function of {owner}.");
    let mut response = own(StatusCode::FORBIDDEN, &sentence);
    response.extensions_mut().insert(Action { href: format!("{HOST_PAGES}logout"), label: "Sign out" });
    response
}

/// The token is for other things.
pub(crate) fn wrong_scope(needed: Scope) -> Response<Body> {
    let name = match needed {
        Scope::Invoke => "invoke",
        Scope::Read => "read",
        Scope::Write => "write",
    };
    let mut response = own(StatusCode::FORBIDDEN, &format!("The API token lacks the scope '{name}'."));
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{name}\"");
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Another site's page made the browser ask.
pub(crate) fn foreign_page() -> Response<Body> {
    own(StatusCode::FORBIDDEN, "A page of another site may not use your session here.")
}

/// It cannot be told who asks, so nobody gets in.
pub(crate) fn unclear() -> Response<Body> {
    own(StatusCode::SERVICE_UNAVAILABLE, "It cannot be told at the moment who you are. Try again soon.")
}

/// There is nothing that could say who asks.
pub(crate) fn no_sign_in() -> Response<Body> {
    own(StatusCode::SERVICE_UNAVAILABLE, "This is not public, and nobody can sign in to this installation.")
}

fn unauthorised(sentence: &str) -> Response<Body> {
    let mut response = own(StatusCode::UNAUTHORIZED, sentence);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// What is said to one is for no cache.
fn own(status: StatusCode, sentence: &str) -> Response<Body> {
    let mut response = reply::text(status, sentence);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn login_address(path: &str, query: Option<&str>) -> String {
    let whole = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let back = [whole.as_str(), path].into_iter().find(|text| text.len() <= MAX_BACK).unwrap_or("/");
    let to: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
    format!("{HOST_PAGES}login?to={to}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(method: &Method, accept: Option<&'static str>, path: &str, query: Option<&str>) -> (u16, String) {
        let value = accept.map(|value| (header::ACCEPT, HeaderValue::from_static(value)));
        let response = sign_in(method, &value.into_iter().collect(), path, query);
        let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        (response.status().as_u16(), location.unwrap_or_default().to_owned())
    }

    #[test]
    fn browsers_are_sent_to_sign_in_and_others_are_told() {
        let page = Some("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
        let expected = (303, "/.ofc/login?to=%2Ffn%2Fa%3Fx%3D1%26y%3D%2F%2Fevil.org".to_owned());
        assert_eq!(answer(&Method::GET, page, "/fn/a", Some("x=1&y=//evil.org")), expected);
        assert_eq!(answer(&Method::HEAD, page, "/fn", None).0, 303);
        assert_eq!(answer(&Method::POST, page, "/fn", None), (401, String::new()));
        for other in [None, Some("*/*"), Some("application/json"), Some("text/htmlx")] {
            assert_eq!(answer(&Method::GET, other, "/fn", None), (401, String::new()), "{other:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_not_brought_along() {
        let long = "x".repeat(MAX_BACK);
        assert_eq!(login_address("/fn", Some(&long)), "/.ofc/login?to=%2Ffn");
        assert_eq!(login_address(&format!("/{long}"), None), "/.ofc/login?to=%2F");
    }
}
