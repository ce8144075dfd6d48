//! Headers on the border: what a client says about itself is not believed.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use sdk::call::CALL_ID_HEADER;

/// Families of headers by which parts of the platform talk to each other.
const OURS: [&str; 4] = ["x-forwarded-", "x-cloud-", "x-auth-", "x-openfaas-"];
/// Single ones.
const OURS_TOO: [&str; 6] =
    ["forwarded", "x-real-ip", "x-original-url", "x-rewrite-url", "x-callback-url", CALL_ID_HEADER];

/// The call's identity, everywhere.
pub(crate) const CALL_ID: HeaderName = HeaderName::from_static(CALL_ID_HEADER);

/// What the router itself knows about a request.
#[derive(Debug, Clone)]
pub(crate) struct Arrival<'a> {
    pub(crate) client: IpAddr,
    pub(crate) host: &'a HeaderValue,
    pub(crate) scheme: &'a HeaderValue,
    pub(crate) call_id: &'a HeaderValue,
}

/// Replaces what the client said by what is so.
pub(crate) fn replace(headers: &mut HeaderMap, arrival: &Arrival<'_>, upstream: HeaderValue) {
    let forged: Vec<HeaderName> = headers.keys().filter(|name| is_ours(name.as_str())).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
    // The server answers "100 Continue" itself when the body is asked for.
    headers.remove(header::EXPECT);
    headers.insert(header::HOST, upstream);
    if let Ok(client) = HeaderValue::from_str(&arrival.client.to_canonical().to_string()) {
        headers.insert("x-forwarded-for", client);
    }
    headers.insert("x-forwarded-host", arrival.host.clone());
    headers.insert("x-forwarded-proto", arrival.scheme.clone());
    headers.insert(CALL_ID, arrival.call_id.clone());
}

fn is_ours(name: &str) -> bool {
    // An underscore is a hyphen to servers that make variables of headers.
    let name = name.replace('_', "-");
    OURS.iter().any(|family| name.starts_with(family)) || OURS_TOO.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_about_itself_is_replaced() {
        let mut headers = HeaderMap::new();
        let forged = [
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-user",
            "x_forwarded_for",
            "x-cloud-signature",
            "x-auth-user",
            "x-call-id",
            "x-real-ip",
            "x-callback-url",
            "expect",
            "x-original-url",
        ];
        for name in forged {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("forged"));
        }
        headers.insert("x-hub-signature-256", HeaderValue::from_static("kept"));
        let value = HeaderValue::from_static;
        let arrival = Arrival {
            client: "::ffff:10.1.2.3".parse().unwrap(),
            host: &value("alice.localhost:8000"),
            scheme: &value("http"),
            call_id: &value("id"),
        };
        replace(&mut headers, &arrival, value("127.0.0.1:8080"));
        assert!(!headers.values().any(|value| value == "forged"), "{headers:?}");
        assert_eq!(headers["x-forwarded-for"], "10.1.2.3");
        assert_eq!(headers["x-forwarded-host"], "alice.localhost:8000");
        assert_eq!(headers["host"], "127.0.0.1:8080");
        assert_eq!(headers["x-call-id"], "id");
        assert_eq!(headers["x-hub-signature-256"], "kept");
    }
}
