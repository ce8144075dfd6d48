//! Headers that are about one connection and must not travel on.

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};

/// RFC 9110 7.6.1, and the two that never were in a standard. `Trailer` is not among them: it announces what travels on.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "keep-alive"
            | "proxy-connection"
    )
}

/// True if this message leaves HTTP, or asks to.
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE) && connection_options(headers).any(|o| o.eq_ignore_ascii_case("upgrade"))
}

/// Removes what concerns one connection, also what `Connection` says does. An upgrade stays one.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let found: Vec<HeaderName> = headers.keys().filter(|name| is_hop_by_hop(name)).cloned().collect();
    if found.is_empty() {
        return;
    }
    let protocol = is_upgrade(headers).then(|| headers.get(header::UPGRADE).cloned()).flatten();
    let listed: Vec<HeaderName> = connection_options(headers).filter_map(|o| o.parse().ok()).collect();
    found.into_iter().chain(listed).for_each(|name| drop(headers.remove(name)));
    if let Some(protocol) = protocol {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
}

/// True if the sender of this request takes trailers behind the answer.
pub(crate) fn takes_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::TE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// Says the same on the next connection.
pub(crate) fn take_trailers(headers: &mut HeaderMap) {
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    headers.append(header::CONNECTION, HeaderValue::from_static("te"));
}

fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn what_concerns_one_connection_stays_behind() {
        let mut given = headers(&[
            ("connection", "close, X-Private"),
            ("x-private", "1"),
            ("keep-alive", "5"),
            ("te", "trailers"),
            ("trailer", "x-sum"),
            ("transfer-encoding", "chunked"),
            ("proxy-authorization", "Basic x"),
            ("upgrade", "h2c"),
            ("x-kept", "1"),
        ]);
        strip_hop_by_hop(&mut given);
        assert_eq!(given, headers(&[("trailer", "x-sum"), ("x-kept", "1")]));
    }

    #[test]
    fn who_takes_trailers_says_so() {
        assert!(takes_trailers(&headers(&[("te", "gzip;q=0.5, Trailers")])));
        assert!(!takes_trailers(&headers(&[("te", "gzip")])));
        let mut given = HeaderMap::new();
        take_trailers(&mut given);
        assert_eq!(given, headers(&[("te", "trailers"), ("connection", "te")]));
    }

    #[test]
    fn an_upgrade_stays_one() {
        let mut given = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
        assert!(is_upgrade(&given));
        strip_hop_by_hop(&mut given);
        assert_eq!(given, headers(&[("connection", "upgrade"), ("upgrade", "websocket")]));
        assert!(!is_upgrade(&headers(&[("upgrade", "websocket")])));
    }
}
