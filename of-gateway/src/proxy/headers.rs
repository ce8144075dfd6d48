//! Headers that concern one connection only.

use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const PROXY_AUTHENTICATE: HeaderName = HeaderName::from_static("proxy-authenticate");
const PROXY_AUTHORIZATION: HeaderName = HeaderName::from_static("proxy-authorization");
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Whether a request asks to leave HTTP, or an answer agrees to.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE) && names_in_connection(headers).any(|name| name.eq_ignore_ascii_case("upgrade"))
}

/// Takes the hop-by-hop headers out, those that `Connection` names included; an upgrade keeps what makes it one.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let upgrade = if is_upgrade(headers) { headers.get(UPGRADE).cloned() } else { None };
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = names_in_connection(headers).filter_map(|name| name.parse().ok()).collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
}

fn names_in_connection(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(',')).map(str::trim)
}
