//! What a request has to be beyond what the parser checks, so that nobody behind can read it in another way.
//!
//! The parser already refuses differing or malformed lengths, a coding that does not end with `chunked`, folded lines,
//! control characters, a space before a colon and a chunk that is not exactly framed. What it takes although it is odd
//! (lines that end with a bare line feed, a length beside `chunked`, the same length twice, extensions of chunks) does not
//! go on: the request is written anew from what was understood, with one framing.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode, Version};

/// Why a request is not served: the status and a sentence.
pub(crate) type Odd = (StatusCode, &'static str);

const fn bad(sentence: &'static str) -> Odd {
    (StatusCode::BAD_REQUEST, sentence)
}

/// Checks a head and brings it into one form.
///
/// # Errors
/// Says what is wrong with it.
pub(crate) fn check<B>(request: &mut Request<B>) -> Result<(), Odd> {
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "This method is not served."));
    }
    framing(request.headers())?;
    if let Some(expected) = request.headers().get(header::EXPECT)
        && !expected.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        return Err((StatusCode::EXPECTATION_FAILED, "Nothing but 100-continue can be expected."));
    }
    only_websockets(request.headers_mut());
    connection_options(request.headers_mut());
    if request.version() == Version::HTTP_2 { as_http1(request) } else { Ok(()) }
}

fn framing(headers: &HeaderMap) -> Result<(), Odd> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next()
        && (codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(bad("The transfer coding has to be chunked and nothing else."));
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    if let Some(length) = lengths.next()
        && (lengths.next().is_some() || length.is_empty() || !length.as_bytes().iter().all(u8::is_ascii_digit))
    {
        return Err(bad("There has to be one length, in digits."));
    }
    Ok(())
}

/// Any other protocol would carry requests past us that nobody checks: HTTP/2 without TLS, for example.
fn only_websockets(headers: &mut HeaderMap) {
    let mut protocols = headers.get_all(header::UPGRADE).iter();
    let websocket = protocols.next().is_some_and(|p| p.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !websocket || protocols.next().is_some() {
        headers.remove(header::UPGRADE);
    }
}

/// Removes what `Connection` says is for us alone. Now, and not when the request goes on: it would remove what we add.
fn connection_options(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONNECTION) {
        return;
    }
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let options: Vec<String> =
        values.flat_map(|value| value.split(',')).map(|o| o.trim().to_ascii_lowercase()).collect();
    let upgrade = headers.contains_key(header::UPGRADE) && options.iter().any(|option| option == "upgrade");
    for option in &options {
        // These are about the whole way, whatever a client says.
        if !matches!(option.as_str(), "host" | "content-length" | "transfer-encoding" | "te" | "upgrade") {
            headers.remove(option.as_str());
        }
    }
    headers.remove(header::CONNECTION);
    if upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// The host becomes a header, and cookies that came in parts become one.
fn as_http1<B>(request: &mut Request<B>) -> Result<(), Odd> {
    if !request.headers().contains_key(header::HOST) {
        let host = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
        let Some(Ok(host)) = host else { return Err(bad("The request has to name a host.")) };
        request.headers_mut().insert(header::HOST, host);
    }
    let mut cookies = request.headers().get_all(header::COOKIE).iter();
    if let (Some(first), Some(second)) = (cookies.next(), cookies.next()) {
        let mut all = first.as_bytes().to_vec();
        for cookie in std::iter::once(second).chain(cookies) {
            all.extend_from_slice(b"; ");
            all.extend_from_slice(cookie.as_bytes());
        }
        let all = HeaderValue::from_bytes(&all).map_err(|_| bad("The cookies cannot be read."))?;
        request.headers_mut().insert(header::COOKIE, all);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Option<u16> {
        let mut request = build(Request::builder().uri("/")).body(()).unwrap();
        check(&mut request).err().map(|(status, _)| status.as_u16())
    }

    #[test]
    fn framings_are_one_of_two() {
        assert_eq!(status(|r| r.header("transfer-encoding", "chunked")), None);
        assert_eq!(status(|r| r.header("content-length", "5")), None);
        for coding in ["gzip, chunked", "chunked, chunked", "identity", "x", ""] {
            assert_eq!(status(|r| r.header("transfer-encoding", coding)), Some(400), "{coding}");
        }
        assert_eq!(
            status(|r| r.header("transfer-encoding", "chunked").header("transfer-encoding", "chunked")),
            Some(400)
        );
        for length in ["+5", "0x5", "5 5", "5,5", "", "-1"] {
            assert_eq!(status(|r| r.header("content-length", length)), Some(400), "{length}");
        }
        assert_eq!(status(|r| r.header("content-length", "5").header("content-length", "5")), Some(400));
    }

    #[test]
    fn methods_and_expectations_that_are_not_served() {
        assert_eq!(status(|r| r.method("TRACE")), Some(405));
        assert_eq!(status(|r| r.header("expect", "100-Continue")), None);
        assert_eq!(status(|r| r.header("expect", "a miracle")), Some(417));
    }

    #[test]
    fn nothing_but_a_websocket_leaves_http() {
        for (given, stays) in [("websocket", true), ("WebSocket", true), ("h2c", false), ("websocket, h2c", false)] {
            let mut request = Request::builder().header("upgrade", given).body(()).unwrap();
            check(&mut request).unwrap();
            assert_eq!(request.headers().contains_key("upgrade"), stays, "{given}");
        }
    }

    #[test]
    fn what_is_for_us_alone_goes_no_further_and_can_be_nothing_of_ours() {
        let request = Request::builder().header("connection", "close, X-Private, host").header("x-private", "1");
        let mut request = request.header("host", "a").header("connection", "x-forwarded-for").body(()).unwrap();
        check(&mut request).unwrap();
        assert_eq!(request.headers().keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["host"]);
        let socket = Request::builder().header("connection", "keep-alive, Upgrade").header("upgrade", "websocket");
        let mut socket = socket.body(()).unwrap();
        check(&mut socket).unwrap();
        assert_eq!(socket.headers()["connection"], "upgrade");
    }

    #[test]
    fn http2_is_brought_into_the_older_form() {
        let request = Request::builder().version(Version::HTTP_2).uri("https://alice.example.com/fn");
        let mut request = request.header("cookie", "a=1").header("cookie", "b=2").body(()).unwrap();
        check(&mut request).unwrap();
        assert_eq!(request.headers()["host"], "alice.example.com");
        assert_eq!(request.headers().get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2"]);
        let mut nameless = Request::builder().version(Version::HTTP_2).uri("/fn").body(()).unwrap();
        assert!(check(&mut nameless).is_err());
    }
}
