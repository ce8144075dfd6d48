use super::super::head;
use super::*;
use crate::ForwardError;
use crate::express::Detour;

/// Takes all answers with headers but `x-no`.
#[derive(Default)]
struct Taker {
    arrived: Option<(u16, u64)>,
    last: bool,
}

impl Trip for Taker {
    type Outbound = http_body_util::Empty<bytes::Bytes>;
    type Body = http_body_util::Empty<bytes::Bytes>;

    fn passes(name: &str) -> bool {
        !name.eq_ignore_ascii_case("x-no")
    }

    fn arrive(&mut self, status: u16, length: u64, out: &mut Vec<u8>) -> bool {
        self.arrived = Some((status, length));
        write_line(out, "X-Ours", b"1");
        !self.last
    }

    fn detour(self, _: Result<Detour<Self::Outbound>, ForwardError>) -> http::Response<Self::Body> {
        unreachable!("nothing goes the long way here")
    }
}

fn taken(text: &str) -> (Short, String, String) {
    let (mut input, mut out) = (BytesMut::from(text), Vec::new());
    let short = take(&mut input, &mut out, &mut Taker::default());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (short, text(&out), text(&input))
}

#[test]
fn an_answer_is_written_as_it_goes_back() {
    let text = "HTTP/1.1 201 Fine\r\nContent-Length: 5\r\nX-One:  1 \r\nDate: now\r\nConnection: Keep-Alive\r\nx-one: 2\r\n\r\nhello";
    let expected =
        "HTTP/1.1 201 Created\r\ncontent-length: 5\r\nx-one: 1\r\ndate: now\r\nx-one: 2\r\nx-ours: 1\r\n\r\nhello";
    assert_eq!(taken(text), (Short::Taken { goes_on: true }, expected.to_owned(), String::new()));
    let (short, out, _) = taken("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(short, Short::Taken { goes_on: true });
    assert!(
        out.starts_with("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-ours: 1\r\ndate: ") && out.ends_with("\r\n\r\n"),
        "{out}"
    );
}

#[test]
fn the_last_answer_says_so() {
    let (mut input, mut out) = (BytesMut::from("HTTP/1.1 500 Oh\r\ncontent-length: 1\r\n\r\nx"), Vec::new());
    let mut trip = Taker { last: true, ..Taker::default() };
    assert_eq!(take(&mut input, &mut out, &mut trip), Short::Taken { goes_on: false });
    assert_eq!(trip.arrived, Some((500, 1)));
    assert!(String::from_utf8(out).unwrap().contains("\r\nconnection: close\r\n"));
}

#[test]
fn what_has_to_be_looked_at_stays_where_it_is() {
    let long = "x".repeat(40);
    for (what, text) in [
        ("no length", "HTTP/1.1 200 OK\r\n\r\n"),
        ("two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nhi"),
        ("no digits", "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nhi"),
        ("more to come", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi"),
        ("too much", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nhi"),
        ("chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("both", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nhi"),
        ("the end", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nConnection: close\r\n\r\nhi"),
        ("its own", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nConnection: keep-alive, x-one\r\nx-one: 1\r\n\r\nhi"),
        ("keep-alive", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nKeep-Alive: timeout=5\r\n\r\nhi"),
        ("upgrade", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nUpgrade: h2c\r\n\r\nhi"),
        ("another", "HTTP/1.1 101 Go\r\ncontent-length: 2\r\n\r\nhi"),
        ("one before", "HTTP/1.1 103 Hints\r\n\r\n"),
        ("no body", "HTTP/1.1 204 None\r\ncontent-length: 0\r\n\r\n"),
        ("unchanged", "HTTP/1.1 304 Same\r\ncontent-length: 0\r\n\r\n"),
        ("old", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi"),
        ("malformed", "HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nhi"),
        ("not passed", &format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-No: {long}\r\n\r\nhi")),
    ] {
        assert_eq!(taken(text), (Short::Other, String::new(), text.to_owned()), "{what}");
    }
    for part in ["", "HTTP", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"] {
        assert_eq!(taken(part).0, Short::Partial, "{part}");
    }
}

/// Whatever goes back as it is has the same length and the same headers by the long way.
#[test]
fn both_ways_read_the_same() {
    let lines = [
        "etag: \"1\"",
        "Content-Type: text/html",
        "set-cookie: a=b",
        "Vary: a, b",
        "x-empty:",
        "connection: keep-alive",
    ];
    for chosen in 0..1u32 << lines.len() {
        let some = lines.iter().enumerate().filter(|(index, _)| chosen & 1 << index != 0);
        let some: String = some.map(|(_, line)| format!("{line}\r\n")).collect();
        let text = format!("HTTP/1.1 200 OK\r\n{some}Content-Length: 2\r\n\r\nhi");
        let (short, out, _) = taken(&text);
        assert_eq!(short, Short::Taken { goes_on: true });
        let mut read = head::read(&mut BytesMut::from(text.as_str()), false).unwrap().unwrap();
        assert!(read.keep);
        crate::strip_hop_by_hop(read.response.headers_mut());
        let mut long: Vec<String> =
            read.response.headers().iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        let ours = |line: &&str| !line.starts_with("x-ours") && !line.starts_with("date:");
        let mut out: Vec<&str> = out.split("\r\n\r\n").next().unwrap().split("\r\n").skip(1).filter(ours).collect();
        long.sort();
        out.sort_unstable();
        assert_eq!(out, long);
    }
}
