//! Proof that a form came from a page of ours, made for who sends it.
//!
//! The token is signed for the session's subject and lives half a day. It is in the page and nowhere else, so another site
//! has none to send; the browser's word about the page that sends is asked besides.

use std::time::Duration;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sdk::identity::Identity;
use sdk::signing::{EXPIRES_HEADER, Key, SIGNATURE_HEADER};
use secrecy::SecretString;
use url::Url;

const PURPOSE: &str = "system-dashboard/form";
const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// By browsers, of whose pages no script can set it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Makes tokens and knows them again.
pub(crate) struct Forms(Key);

impl Forms {
    pub(crate) fn new(payload_secret: &SecretString) -> Self {
        Self(Key::derive(payload_secret, PURPOSE))
    }

    /// A token for the forms of one page.
    pub(crate) fn token(&self, who: &Identity) -> String {
        let [(_, expires), (_, signature)] = self.0.sign(&Method::POST, who.subject().as_bytes(), LIFETIME);
        format!("{expires}.{signature}")
    }

    /// Whether a form with this token is one of ours, sent by whom it was made for.
    pub(crate) fn is_ours(&self, who: &Identity, token: &str, headers: &HeaderMap) -> bool {
        is_same_origin(headers) && self.is_good(who, token)
    }

    fn is_good(&self, who: &Identity, token: &str) -> bool {
        let Some((expires, signature)) = token.split_once('.') else { return false };
        let (Ok(expires), Ok(signature)) = (HeaderValue::from_str(expires), HeaderValue::from_str(signature)) else {
            return false;
        };
        let mut headers = HeaderMap::new();
        headers.insert(EXPIRES_HEADER, expires);
        headers.insert(SIGNATURE_HEADER, signature);
        self.0.verify(&Method::POST, &headers, who.subject().as_bytes()).is_ok()
    }
}

/// Whether the browser says that a page of this very host sends the request. Silence is no yes.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(&FETCH_SITE) {
        return site == "same-origin";
    }
    let Some(origin) = text(&ORIGIN).and_then(|origin| origin.parse::<Url>().ok()) else { return false };
    let authority = origin.authority();
    [text(&FORWARDED_HOST), text(&HOST)].into_iter().flatten().any(|host| host.eq_ignore_ascii_case(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(id: u64) -> Identity {
        serde_json::from_value(serde_json::json!({"host": "git.localhost", "id": id, "login": "alice"})).unwrap()
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_token_is_good_for_its_person_alone() {
        let forms = Forms::new(&"secret".into());
        let token = forms.token(&who(7));
        assert!(forms.is_good(&who(7), &token) && !forms.is_good(&who(8), &token));
        let (expires, signature) = token.split_once('.').unwrap();
        let later = format!("{}.{signature}", expires.parse::<u64>().unwrap() + 1);
        for bad in ["", ".", "x", "1.v1=00", &later, "\n.\n"] {
            assert!(!forms.is_good(&who(7), bad), "{bad}");
        }
        assert!(!Forms::new(&"other".into()).is_good(&who(7), &token));
    }

    #[test]
    fn the_browser_has_to_say_that_the_page_is_of_this_host() {
        let good = [
            headers(&[("sec-fetch-site", "same-origin")]),
            headers(&[("origin", "https://system.a.com"), ("host", "system.a.com")]),
            headers(&[("origin", "http://system.a.com:8000"), ("x-forwarded-host", "System.a.com:8000")]),
        ];
        assert!(good.iter().all(is_same_origin));
        let bad = [
            headers(&[]),
            headers(&[("host", "system.a.com")]),
            headers(&[("sec-fetch-site", "same-site"), ("origin", "https://system.a.com"), ("host", "system.a.com")]),
            headers(&[("sec-fetch-site", "cross-site")]),
            headers(&[("origin", "null"), ("host", "system.a.com")]),
            headers(&[("origin", "https://alice.a.com"), ("host", "system.a.com")]),
        ];
        assert!(!bad.iter().any(is_same_origin));
    }
}
