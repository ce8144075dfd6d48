use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;

use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::*;

type Text = http_body_util::combinators::UnsyncBoxBody<Bytes, io::Error>;

const FREE: Bounds = Bounds { head: MAX_PLAIN, patience: None };

fn full(text: &'static str) -> Text {
    Full::new(Bytes::from_static(text.as_bytes())).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// A body of parts that are sent one by one.
fn parts() -> (mpsc::UnboundedSender<io::Result<Frame<Bytes>>>, Text) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let stream = futures_util::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    (sender, StreamBody::new(stream).boxed_unsync())
}

fn never(_: &mut Context<'_>) -> Poll<()> {
    Poll::Pending
}

/// Sends `text` to a server that answers with `answer`, and returns all that comes back without the lines of the date.
async fn exchange(text: &str, answer: impl FnMut(Request<ClientBody>) -> Response<Text>) -> (String, String) {
    let (mut client, server) = duplex(1 << 20);
    client.write_all(text.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    let answer = RefCell::new(answer);
    let served = serve(server, Bytes::new(), FREE, never, async |request| answer.borrow_mut()(*request)).await;
    let left = match served {
        Ok(Served::Other(stream, read)) => {
            drop(stream);
            String::from_utf8(read.to_vec()).unwrap()
        }
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let mut back = String::new();
    client.read_to_string(&mut back).await.unwrap();
    let lines = back.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect();
    (lines, left)
}

#[tokio::test]
async fn requests_are_answered_in_turn() {
    let text = "GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\ncontent-length: 2\r\n\r\nhiHEAD /3 HTTP/1.1\r\n\r\nGET /4 HTTP/1.1\r\nTE: x\r\n\r\n";
    let mut seen = Vec::new();
    let (back, left) = exchange(text, |request| {
        seen.push(request.uri().path().to_owned());
        Response::builder().header("x-one", "1").body(full("body")).unwrap()
    })
    .await;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nx-one: 1\r\n\r\n";
    assert_eq!(back, format!("{head}body{head}body{head}"));
    assert_eq!(seen, ["/1", "/2", "/3"]);
    assert_eq!(left, "GET /4 HTTP/1.1\r\nTE: x\r\n\r\n");
}

#[tokio::test]
async fn answers_say_how_long_they_are() {
    let answer = |status: u16, length: Option<&'static str>, body: Text| {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().extend(length.map(|length| (http::header::CONTENT_LENGTH, length.parse().unwrap())));
        response
    };
    let one = |method: &str, response: Response<Text>| {
        let (text, mut response) = (format!("{method} / HTTP/1.1\r\n\r\n"), Some(response));
        async move { exchange(&text, move |_| response.take().unwrap()).await }
    };
    let back = |(back, _): (String, String)| back;
    assert_eq!(
        back(one("GET", answer(200, Some("9"), full("four"))).await),
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfour"
    );
    assert_eq!(back(one("GET", answer(204, Some("9"), full(""))).await), "HTTP/1.1 204 No Content\r\n\r\n");
    let unchanged = "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n";
    assert_eq!(back(one("GET", answer(304, Some("9"), full(""))).await), unchanged);
    assert_eq!(
        back(one("HEAD", answer(200, Some("9"), full(""))).await),
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"
    );
    let (sender, body) = parts();
    sender.send(Ok(Frame::data("123".into()))).unwrap();
    drop(sender);
    assert_eq!(one("GET", answer(200, Some("4"), body)).await.1, "an answer is shorter than it said");
    let (sender, body) = parts();
    sender.send(Ok(Frame::data("12345".into()))).unwrap();
    let (back, error) = one("GET", answer(200, Some("4"), body)).await;
    assert_eq!((back.as_str(), error.as_str()), ("", "an answer is longer than it said"));
}

#[tokio::test]
async fn a_body_of_unknown_length_comes_in_chunks_without_its_trailers() {
    let (sender, body) = parts();
    sender.send(Ok(Frame::data("hello".into()))).unwrap();
    sender.send(Ok(Frame::data(Bytes::new()))).unwrap();
    sender.send(Ok(Frame::data(Bytes::from(vec![b'x'; SHORT])))).unwrap();
    sender.send(Ok(Frame::trailers(HeaderMap::from_iter([("x-sum".parse().unwrap(), "7".parse().unwrap())])))).unwrap();
    drop(sender);
    let mut response = Some(Response::new(body));
    let (back, _) = exchange("GET / HTTP/1.1\r\n\r\n", |_| response.take().unwrap()).await;
    let long = "x".repeat(SHORT);
    let expected =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n2000\r\n{long}\r\n0\r\n\r\n");
    assert_eq!(back, expected);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_whole_one() {
    let (sender, body) = parts();
    sender.send(Ok(Frame::data("hello".into()))).unwrap();
    sender.send(Err(io::Error::other("broken"))).unwrap();
    let mut response = Some(Response::new(body));
    let (back, error) = exchange("GET / HTTP/1.1\r\n\r\n", |_| response.take().unwrap()).await;
    assert_eq!(error, "broken");
    assert!(!back.contains("\r\n0\r\n"), "{back}");
}

#[tokio::test]
async fn what_is_there_goes_out_before_anybody_waits() {
    let (mut client, server) = duplex(1 << 16);
    let (sender, body) = parts();
    let body = RefCell::new(Some(body));
    let serving = serve(server, Bytes::new(), FREE, never, async |_| Response::new(body.take().unwrap()));
    let asking = async {
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        until(&mut client, "\r\n\r\n").await;
        for part in ["one", "two"] {
            sender.send(Ok(Frame::data(part.into()))).unwrap();
            until(&mut client, part).await;
        }
        drop(sender);
        until(&mut client, "0\r\n\r\n").await;
        drop(client);
    };
    let (served, ()) = tokio::join!(serving, asking);
    assert!(matches!(served, Ok(Served::Over)));
}

async fn until(client: &mut DuplexStream, end: &str) {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(end) {
        assert_ne!(client.read_buf(&mut read).await.unwrap(), 0, "{read:?}");
    }
}

#[tokio::test]
async fn who_leaves_is_answered_no_more() {
    struct Dropped(Rc<Cell<bool>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let (mut client, server) = duplex(1 << 16);
    let (asked, begun) = oneshot::channel();
    let (asked, dropped) = (Cell::new(Some(asked)), Rc::new(Cell::new(false)));
    let serving = serve(server, Bytes::new(), FREE, never, async |_| {
        let _dropped = Dropped(dropped.clone());
        asked.take().unwrap().send(()).unwrap();
        std::future::pending::<Response<Text>>().await
    });
    let leaving = async {
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        begun.await.unwrap();
        drop(client);
    };
    let (served, ()) = tokio::join!(serving, leaving);
    assert!(matches!(served, Ok(Served::Over)) && dropped.get());
}

#[tokio::test]
async fn it_stops_between_two_requests_and_with_the_answer_that_says_so() {
    let stopping = Cell::new(false);
    let (mut client, server) = duplex(1 << 16);
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let stop = |_: &mut Context<'_>| if stopping.get() { Poll::Ready(()) } else { Poll::Pending };
    let served = serve(server, Bytes::new(), FREE, stop, async |_| {
        stopping.set(true);
        Response::new(full("x"))
    });
    assert!(matches!(served.await, Ok(Served::Stopped(_))));
    let (back, _) = exchange("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", |_| {
        Response::builder().header("connection", "Close").body(full("x")).unwrap()
    })
    .await;
    assert_eq!(back, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: Close\r\n\r\nx");
}

#[tokio::test]
async fn half_a_request_is_given_back_with_the_connection_when_it_stops() {
    let stopping = Cell::new(false);
    let (mut client, server) = duplex(1 << 16);
    client.write_all(b"GET / HTTP/1.1\r\n\r\nGET /ha").await.unwrap();
    let stop = |_: &mut Context<'_>| if stopping.get() { Poll::Ready(()) } else { Poll::Pending };
    let served = serve(server, Bytes::new(), FREE, stop, async |_| {
        stopping.set(true);
        Response::new(full("x"))
    });
    assert!(matches!(served.await, Ok(Served::Other(_, read)) if read == "GET /ha"));
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_is_not_waited_for() {
    let began = Instant::now();
    let (mut client, server) = duplex(1 << 16);
    let bounds = Bounds { patience: Some(Duration::from_secs(10)), ..FREE };
    let serving = serve(server, Bytes::new(), bounds, never, async |_| Response::new(full("x")));
    let asking = async {
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        until(&mut client, "x").await;
        sleep(Duration::from_secs(8)).await;
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        until(&mut client, "x").await;
        for byte in b"GET / HTTP/1.1\r\n\r\n" {
            sleep(Duration::from_secs(1)).await;
            let _ = client.write_all(&[*byte]).await;
        }
    };
    let served = async {
        let served = serving.await;
        (served, began.elapsed())
    };
    let ((served, after), ()) = tokio::join!(served, asking);
    assert!(matches!(served, Ok(Served::Over)));
    assert_eq!(after.as_secs(), 18, "ten seconds after the last answer");
}
