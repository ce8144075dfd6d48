//! The platform's cookies. All names begin alike, so that none of them ever gets to a user's function.

use http::header::{self, HeaderMap, HeaderValue};

/// How every cookie of the platform begins, after a prefix that browsers know.
const OURS: &str = "ofc_";
/// Cookies of this prefix come from the very host that they are sent to, over HTTPS.
const HOST_PREFIX: &str = "__Host-";

/// The name of one of the platform's cookies, such as `session`. Plain HTTP has no prefix.
pub fn name(what: &str, secure: bool) -> String {
    format!("{}{OURS}{what}", if secure { HOST_PREFIX } else { "" })
}

/// The value of a `Set-Cookie` header that keeps `value` for `seconds`, or deletes it with 0.
pub fn set(what: &str, value: &str, seconds: u64, secure: bool) -> String {
    let marked = if secure { "; Secure" } else { "" };
    format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{marked}", name(what, secure))
}

/// The value of one of the platform's cookies, if it was sent exactly once: who sends two wants to be taken for
/// somebody else.
pub fn get<'a>(headers: &'a HeaderMap, what: &str, secure: bool) -> Option<&'a str> {
    let wanted = name(what, secure);
    let mut found = pairs(headers).filter(|(name, _)| *name == wanted).map(|(_, value)| value);
    let value = found.next()?;
    found.next().is_none().then_some(value)
}

/// Takes the platform's cookies out of a request, whatever their prefix and case.
pub fn strip(headers: &mut HeaderMap) {
    let foreign = |pair: &&str| !is_ours(pair.split('=').next().unwrap_or_default());
    let sent: Vec<HeaderValue> = headers.get_all(header::COOKIE).iter().cloned().collect();
    if sent.iter().all(|value| value.to_str().is_ok_and(|text| text.split(';').all(|pair| foreign(&pair)))) {
        return;
    }
    headers.remove(header::COOKIE);
    for value in sent {
        // What is no text cannot be told apart, so it goes altogether.
        let Ok(text) = value.to_str() else { continue };
        let kept: Vec<&str> = text.split(';').map(str::trim).filter(foreign).filter(|pair| !pair.is_empty()).collect();
        if let Ok(kept) = HeaderValue::from_str(&kept.join("; "))
            && !kept.is_empty()
        {
            headers.append(header::COOKIE, kept);
        }
    }
}

/// True if a `Set-Cookie` header of somebody else's would be taken for one of the platform's.
pub fn is_ours(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    let bare = name.strip_prefix("__host-").or_else(|| name.strip_prefix("__secure-")).unwrap_or(&name);
    bare.starts_with(OURS)
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (header::COOKIE, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_cookie_that_comes_twice_is_none() {
        let sent = headers(&["a=1; __Host-ofc_session=good", "ofc_session=plain"]);
        assert_eq!(get(&sent, "session", true), Some("good"));
        assert_eq!(get(&sent, "session", false), Some("plain"));
        assert_eq!(get(&headers(&["ofc_session=a; ofc_session=b"]), "session", false), None);
        assert_eq!(get(&headers(&["ofc_session=a", "ofc_session=a"]), "session", false), None);
        assert_eq!(get(&headers(&["xofc_session=a; ofc_sessions=b; ofc_session"]), "session", false), None);
    }

    #[test]
    fn ours_are_stripped_and_all_others_stay() {
        let mut sent = headers(&["a=1; __Host-ofc_session=x;ofc_login=y ;b=2", "OFC_Session=z", "c=\"3\""]);
        strip(&mut sent);
        let left: Vec<_> = sent.get_all(header::COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(left, ["a=1; b=2", "c=\"3\""]);
        let mut same = headers(&["a=1;b=2;  c"]);
        strip(&mut same);
        assert_eq!(same, headers(&["a=1;b=2;  c"]), "untouched to the byte");
        let mut all = headers(&["ofc_session=x"]);
        strip(&mut all);
        assert!(all.is_empty());
    }

    #[test]
    fn cookies_are_for_one_host_and_for_no_script() {
        assert_eq!(
            set("session", "t", 60, true),
            "__Host-ofc_session=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(set("session", "", 0, false), "ofc_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }
}
