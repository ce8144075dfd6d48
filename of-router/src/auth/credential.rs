//! By what a request says who it comes from.

use http::header::{self, HeaderMap};
use session::MAX_TOKEN;
use session::protocol::API_TOKEN_PREFIX;

/// No honest API token is longer, in bytes.
const MAX_API_TOKEN: usize = 256;

/// What a request shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// Nothing of ours.
    None,
    /// A session's cookie.
    Session(&'a str),
    /// An API token. It counts more than a cookie, because it was sent on purpose.
    ApiToken(&'a str),
    /// Something that claims to be an API token and is none, or two of them.
    Malformed,
}

/// What is shown. Cookies count where people can sign in.
pub(crate) fn find(headers: &HeaderMap, secure: bool, with_cookies: bool) -> Credential<'_> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let first = values.next();
    let several = values.next().is_some();
    let ours = headers.get_all(header::AUTHORIZATION).iter().any(|value| holds_ours(value.as_bytes()));
    if ours {
        let token = first.filter(|_| !several).and_then(|value| value.to_str().ok()).and_then(api_token);
        return token.map_or(Credential::Malformed, Credential::ApiToken);
    }
    let cookie = with_cookies.then(|| session::cookie::get(headers, "session", secure)).flatten();
    cookie.filter(|token| !token.is_empty() && token.len() <= MAX_TOKEN).map_or(Credential::None, Credential::Session)
}

/// True if a value of `Authorization` holds an API token, in whatever form: it is for the platform and nobody else.
pub(crate) fn holds_ours(value: &[u8]) -> bool {
    value.windows(API_TOKEN_PREFIX.len()).any(|window| window == API_TOKEN_PREFIX.as_bytes())
}

fn api_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let random = token.strip_prefix(API_TOKEN_PREFIX)?;
    let plain = random.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let fine = scheme.eq_ignore_ascii_case("bearer") && plain && !random.is_empty() && token.len() <= MAX_API_TOKEN;
    fine.then_some(token)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[(header::HeaderName, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn an_api_token_comes_before_a_cookie() {
        let (bearer, cookie) = (header::AUTHORIZATION, header::COOKIE);
        let both = headers(&[(bearer.clone(), "bearer ofct_abc"), (cookie.clone(), "__Host-ofc_session=t")]);
        assert_eq!(find(&both, true, true), Credential::ApiToken("ofct_abc"));
        let foreign = headers(&[(bearer, "Bearer other"), (cookie.clone(), "__Host-ofc_session=t")]);
        assert_eq!(find(&foreign, true, true), Credential::Session("t"));
        assert_eq!(find(&foreign, true, false), Credential::None);
        assert_eq!(find(&foreign, false, true), Credential::None, "a cookie for plain HTTP has another name");
        let long = headers(&[(cookie, &format!("__Host-ofc_session={}", "x".repeat(MAX_TOKEN + 1)))]);
        assert_eq!(find(&long, true, true), Credential::None);
    }

    #[test]
    fn what_claims_to_be_an_api_token_has_to_be_one() {
        let long = format!("Bearer ofct_{}", "x".repeat(MAX_API_TOKEN));
        let wrong = [
            "Basic ofct_abc",
            "ofct_abc",
            "Bearer ofct_",
            "Bearer  ofct_a",
            "Bearer ofct_a b",
            "Bearer xofct_a",
            "Bearer ofct_a;",
            &long,
        ];
        for value in wrong {
            let headers = headers(&[(header::AUTHORIZATION, value), (header::COOKIE, "ofc_session=t")]);
            assert_eq!(find(&headers, false, true), Credential::Malformed, "{value}");
        }
        let twice = headers(&[(header::AUTHORIZATION, "Bearer ofct_a"), (header::AUTHORIZATION, "Bearer ofct_b")]);
        assert_eq!(find(&twice, false, true), Credential::Malformed);
    }
}
