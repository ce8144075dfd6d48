use http::Request;
use proptest::prelude::*;

use super::*;
use crate::serving::strict;

const GATEWAY: HeaderValue = HeaderValue::from_static("gateway:8080");
const CALL_ID: &str = "00000000-0000-4000-8000-000000000000";

/// A header's name and value.
type Named = (String, Vec<u8>);

fn with_arrival<T>(host: &HeaderValue, then: impl FnOnce(&Arrival<'_>) -> T) -> T {
    let [address, scheme, call_id] = ["10.0.0.1", "https", CALL_ID].map(HeaderValue::from_static);
    let border = Border::of(Side::Function);
    then(&Arrival { address: &address, host, scheme: &scheme, call_id: &call_id, border: &border })
}

/// What a function gets by the long way; `None` if nothing.
fn by_the_long_way(method: &str, lines: &[Named]) -> Option<Vec<Named>> {
    let mut request = Request::builder().method(method).uri("/greet");
    for (name, value) in lines {
        request = request.header(name, HeaderValue::from_bytes(value).unwrap());
    }
    let mut request = request.body(()).unwrap();
    let host = request.headers().get(header::HOST).cloned()?;
    strict::check(&mut request).ok()?;
    let headers = request.headers_mut();
    with_arrival(&host, |arrival| outside::replace(headers, arrival, GATEWAY));
    upstream::strip_hop_by_hop(headers);
    Some(sorted(headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()))
}

/// What it gets by this one; `None` if the request does not go it.
fn by_this_way(method: &str, lines: &[Named]) -> Option<Vec<Named>> {
    let lines: Vec<_> = lines.iter().map(|(name, value)| httparse::Header { name, value }).collect();
    let plain = Plain { method, target: "/greet", lines: &lines, body: b"" };
    let (host, _) = unremarkable(&plain)?;
    let host = HeaderValue::from_bytes(host).unwrap();
    let told = with_arrival(&host, |arrival| lines_about(arrival, &GATEWAY));
    let mut out = b"GET / HTTP/1.1\r\n".to_vec();
    // That a length is said is somebody else's to add on the long way.
    write_head(&mut out, &plain, &told, CALL_ID.as_bytes(), true);
    let mut room = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut room);
    assert!(parsed.parse(&out).unwrap().is_complete());
    Some(sorted(parsed.headers.iter().map(|line| (line.name.to_owned(), line.value.to_vec())).collect()))
}

fn sorted(mut lines: Vec<Named>) -> Vec<Named> {
    lines.sort();
    lines
}

/// What somebody on the way does something about, and some of what nobody does.
const NAMES: &[&str] = &[
    "host",
    "accept",
    "user-agent",
    "cookie",
    "cookie2",
    "authorization",
    "content-type",
    "content-length",
    "te",
    "expect",
    "upgrade",
    "trailer",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "proxy-authenticate",
    "proxy-authorization",
    "forwarded",
    "x-real-ip",
    "x_real_ip",
    "x-forwarded-for",
    "x-forwarded-anything",
    "x_forwarded_for",
    "x-auth-user",
    "x-cloud-signature",
    "x-openfaas-internal",
    "x-call-id",
    "x_call_id",
    "x-original-url",
    "x-rewrite-url",
    "x-callback-url",
    "x-requested-with",
    "from",
    "if-none-match",
    "origin",
    "clear-site-data",
    "set-cookie",
    "strict-transport-security",
    "connection",
];
const VALUES: &[&str] =
    &["", "keep-alive", "7", "a=b; c=d", "Bearer x", "ofc_x", "gzip", "alice.example.com", "x-real-ip, te"];

/// Names of all that somebody on the way does something about, some of others, and made up ones; in any spelling.
fn name() -> impl Strategy<Value = String> {
    let made_up = "[a-zA-Z][a-zA-Z0-9_-]{0,24}";
    (prop_oneof![9 => prop::sample::select(NAMES).prop_map(str::to_owned), 1 => made_up], any::<[bool; 32]>()).prop_map(
        |(name, capital)| {
            let spell = |(letter, capital): (char, &bool)| if *capital { letter.to_ascii_uppercase() } else { letter };
            name.chars().zip(&capital).map(spell).collect()
        },
    )
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(VALUES).prop_map(|text| text.as_bytes().to_vec()),
        "[!-~]{1,12}".prop_map(String::into_bytes),
        prop::collection::vec(0x80..=0xffu8, 1..4),
    ]
}

fn lines() -> impl Strategy<Value = Vec<Named>> {
    // Other values of `Connection`, and other lengths than one of digits, do not get here: such a request is not plain.
    let fits = |(name, value): &Named| match name.to_ascii_lowercase().as_str() {
        "connection" => value == b"keep-alive",
        "content-length" => value == b"7",
        _ => true,
    };
    let once =
        |lines: &Vec<Named>| lines.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).count() < 2;
    prop::collection::vec((name(), value()).prop_filter("not plain", fits), 0..8).prop_filter("not plain", once)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_function_gets_the_same_by_either_way(mut lines in lines(), method in prop::sample::select(&["GET", "POST", "DELETE"][..])) {
        lines.insert(0, ("Host".to_owned(), b"alice.example.com".to_vec()));
        if let Some(express) = by_this_way(method, &lines) {
            prop_assert_eq!(Some(express), by_the_long_way(method, &lines));
        }
    }

    #[test]
    fn what_goes_back_as_it_is_would_be_left_as_it_is(name in name(), value in value()) {
        if outside::passes_out(&name) {
            let mut headers = HeaderMap::new();
            headers.insert(header::HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(&value).unwrap());
            let before = headers.clone();
            Border::of(Side::Function).let_out(&mut headers);
            prop_assert_eq!(&headers, &before);
            prop_assert!(!headers.contains_key(outside::CALL_ID));
            prop_assert!(!headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
        }
    }
}

#[test]
fn usual_requests_go_this_way() {
    let lines = |text: &str| -> Vec<Named> {
        let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        text.lines().filter_map(pair).collect()
    };
    let browser = "Host: alice.example.com\nConnection: keep-alive\nUser-Agent: Mozilla/5.0\nAccept: text/html\n\
                   Accept-Encoding: gzip, br\nX-Requested-With: x\nIf-None-Match: \"1\"\nContent-Length: 2";
    assert!(by_this_way("POST", &lines(browser)).is_some());
    for remarkable in ["Cookie: a=b", "authorization: Basic x", "X-Forwarded-For: 1", "host: bob.example.com"] {
        assert_eq!(by_this_way("GET", &lines(&format!("{browser}\n{remarkable}"))), None, "{remarkable}");
    }
    assert_eq!(by_this_way("GET", &lines("accept: x")), None, "no host");
    for method in ["HEAD", "TRACE", "CONNECT", "PROPFIND", "get"] {
        assert_eq!(by_this_way(method, &lines(browser)), None, "{method}");
    }
}

#[test]
fn targets_that_mean_one_thing_go_this_way() {
    assert_eq!(split("/a/b?c=d&e=%20"), Some(("/a/b", "?c=d&e=%20")));
    assert_eq!(split("/a?"), Some(("/a", "?")));
    assert_eq!(split("/a"), Some(("/a", "")));
    for odd in ["/a?b#c", "/a?b c", "/a?b\\c", "/a?\u{e9}", "/a?<", "/a?\"", "/a?'", "/a?`", "/a?{"] {
        assert_eq!(split(odd), None, "{odd}");
    }
}
