use super::*;

/// By the long way.
fn take(input: &mut BytesMut, max_head: usize) -> Taken<()> {
    super::take(input, max_head, |_| None)
}

fn taken(text: &str) -> Taken<()> {
    take(&mut BytesMut::from(text), MAX_PLAIN)
}

fn request(text: &str) -> Request<ClientBody> {
    match taken(text) {
        Taken::Request(request) => *request,
        other => panic!("{other:?} for {text:?}"),
    }
}

#[test]
fn a_request_is_taken_off_whole() {
    let head = "POST /a/b?c=d HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nX-Two: 1\r\nx-two: 2\r\nContent-Length: 3\r\n\r\n";
    for length in 1..head.len() {
        assert!(matches!(taken(&head[..length]), Taken::Partial), "{length} bytes");
    }
    for part in ["", "a", "ab"] {
        assert!(matches!(taken(&format!("{head}{part}")), Taken::Other), "its body may be long in coming");
    }
    let mut input = BytesMut::from(format!("{head}abcGET /").as_bytes());
    let Taken::Request(request) = take(&mut input, MAX_PLAIN) else { panic!("not plain") };
    assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::POST, "/a/b?c=d"));
    let headers = request.headers();
    assert_eq!((headers["host"].as_bytes(), headers["x-empty"].as_bytes()), (&b"x"[..], &b""[..]));
    assert_eq!(headers.get_all("x-two").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert!(matches!(request.body(), ClientBody::Whole(body) if body == "abc"));
    assert_eq!(&input[..], b"GET /", "what follows stays");
}

#[test]
fn a_request_without_a_body_has_none() {
    for text in [
        "GET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: Keep-Alive\r\n\r\n",
    ] {
        assert!(matches!(request(text).body(), ClientBody::Whole(body) if body.is_empty()), "{text:?}");
    }
}

#[test]
fn what_is_not_plain_stays_as_it_is() {
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(MAX_PLAIN));
    let endless = format!("GET / HTTP/1.1\r\nx: {}", "a".repeat(MAX_PLAIN));
    let large = format!("POST / HTTP/1.1\r\ncontent-length: {MAX_PLAIN}\r\n\r\n");
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: 1\r\n".repeat(MAX_LINES + 1));
    for text in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET http://other/ HTTP/1.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\n\r\n",
        "CONNECT /a HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\n",
        "GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nconnection: keep-alive, x\r\n\r\n",
        "GET / HTTP/1.1\r\nconnection: keep-alive\r\nConnection: x\r\n\r\n",
        "GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nTE: trailers\r\n\r\n",
        "POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\nx",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\nx",
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
        "POST / HTTP/1.1\r\ncontent-length: 1, 1\r\n\r\nx",
        "POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\nx",
        "POST / HTTP/1.1\r\ncontent-length: 0x1\r\n\r\nx",
        "POST / HTTP/1.1\r\ncontent-length:\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 18446744073709551615\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 18446744073709551616\r\n\r\n",
        "GET / HTTP/1.1\nx: 1\n\n",
        "GET / HTTP/1.1\r\nx: 1\n\r\n",
        "GET / HTTP/1.1\r\nx: 1\r\n y\r\n\r\n",
        "GET / HTTP/1.1\r\nx : 1\r\n\r\n",
        "GET / HTTP/1.1\r\nx\r\n\r\n",
        "GET / HTTP/1.1\r\nx: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nx: a\rb\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "G@T / HTTP/1.1\r\n\r\n",
        "this is no HTTP\r\n\r\n",
        &long,
        &endless,
        &large,
        &many,
    ] {
        let mut input = BytesMut::from(text);
        let taken = take(&mut input, MAX_PLAIN);
        assert!(matches!(taken, Taken::Other), "{taken:?} for {text:?}");
        assert_eq!(&input[..], text.as_bytes(), "not a byte is gone");
    }
}

#[test]
fn a_head_is_no_longer_than_allowed() {
    let text = "GET / HTTP/1.1\r\nx: 1\r\n\r\n";
    assert!(matches!(take(&mut BytesMut::from(text), text.len()), Taken::Request(_)));
    assert!(matches!(take(&mut BytesMut::from(text), text.len() - 1), Taken::Other));
    assert!(matches!(take(&mut BytesMut::from(&text[..10]), 10), Taken::Other));
}
