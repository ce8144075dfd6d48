use super::*;

fn read_text(text: &str) -> io::Result<Option<Head>> {
    read(&mut BytesMut::from(text), false)
}

fn framing_of(lines: &str) -> String {
    let head = read_text(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n"));
    head.map_or_else(|error| error.to_string(), |head| format!("{:?}", head.unwrap().framing))
}

fn written(request: http::request::Builder, length: u64) -> String {
    let mut out = Vec::new();
    write(&mut out, &request.body(()).unwrap(), length);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_request_is_written_as_it_is() {
    let request = http::Request::get("/a?b=c").header("x-one", "1").header("x-two", "2");
    assert_eq!(written(request, 0), "GET /a?b=c HTTP/1.1\r\nx-one: 1\r\nx-two: 2\r\n\r\n");
    let whole = "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(written(http::Request::post("/"), 0), whole);
    assert_eq!(written(http::Request::post("/").header("content-length", "0"), 0), whole);
    assert_eq!(written(http::Request::delete("/"), 3), "DELETE / HTTP/1.1\r\ncontent-length: 3\r\n\r\n");
}

#[test]
fn a_head_is_taken_off_whole() {
    let mut input = BytesMut::from("HTTP/1.1 201 Fine\r\nX-One: 1\r\nset-cookie: a\r\nset-cookie: b\r\nempty:\r\n");
    assert!(read(&mut input, false).unwrap().is_none());
    input.extend_from_slice(b"content-length: 2\r\n\r\nok");
    let head = read(&mut input, false).unwrap().unwrap();
    assert_eq!(head.response.status(), 201);
    assert_eq!(head.response.headers()["x-one"], "1");
    assert_eq!(head.response.headers()["empty"], "");
    assert_eq!(head.response.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(&input[..], b"ok");
    assert!(head.keep);
}

#[test]
fn bodies_have_one_length() {
    assert_eq!(framing_of("content-length: 5\r\n"), "Length(5)");
    assert_eq!(framing_of("content-length: 5\r\ncontent-length: 5\r\n"), "Length(5)");
    assert_eq!(framing_of(""), "UntilClose");
    assert!(framing_of("transfer-encoding: Chunked\r\n").starts_with("Chunked"));
    for lines in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: +5\r\n",
        "content-length: 5, 5\r\n",
        "content-length:\r\n",
        "content-length: 18446744073709551616\r\n",
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: identity\r\n",
        "x-folded: a\r\n b\r\n",
        "x-null: \0\r\n",
        "x name: a\r\n",
        "content-length : 5\r\n",
    ] {
        assert!(read_text(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n")).is_err(), "{lines:?}");
    }
    assert!(read_text("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    assert!(read_text("this is no HTTP\r\n\r\n").is_err());
    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    assert!(read_text(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")).is_err());
}

#[test]
fn some_answers_have_no_body_whatever_they_say() {
    for status in ["204 No Content", "304 Not Modified", "101 Switching"] {
        let head = read_text(&format!("HTTP/1.1 {status}\r\ncontent-length: 5\r\n\r\n")).unwrap().unwrap();
        assert!(matches!(head.framing, Framing::Length(0)), "{status}");
    }
    let mut input = BytesMut::from("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
    assert!(matches!(read(&mut input, true).unwrap().unwrap().framing, Framing::Length(0)));
}

#[test]
fn connections_are_kept_if_both_can_tell_where_the_answer_ends() {
    let keeps = |text: &str| read_text(text).unwrap().unwrap().keep;
    assert!(!keeps("HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 0\r\n\r\n"));
    assert!(!keeps("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"));
    assert!(keeps("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n"));
    assert!(!keeps("HTTP/1.1 200 OK\r\n\r\n"));
}
