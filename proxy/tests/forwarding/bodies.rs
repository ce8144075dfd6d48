#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::time::Duration;

use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use upstream::{AnswerError, ForwardError, Limits};

use crate::support::{DEADLINE, Front, bare, closed, echo, over, read_until, send, send_within};

#[tokio::test]
async fn parts_pass_as_they_come_and_the_guard_lives_until_the_last() {
    let (listener, pool) = bare().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, "\r\n\r\nx").await;
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: x-own\r\nx-own: 1\r\n\r\n";
        stream.write_all(head).await.unwrap();
        stream.write_all(b"3\r\none\r\n").await.unwrap();
        stream
    };
    let ((outcome, mut guard), mut stream) = tokio::join!(send_within(&pool, "x", crate::support::PATIENT), server);
    let response = outcome.unwrap();
    assert!(response.headers().is_empty(), "{:?}", response.headers());
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
    assert!(guard.try_recv().is_err_and(|state| state == tokio::sync::oneshot::error::TryRecvError::Empty));
    stream.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "two");
    over(guard).await;
}

#[tokio::test]
async fn large_bodies_pass_whole() {
    let (pool, _) = echo(DEADLINE).await;
    let content = "0123456789abcdef".repeat(1 << 16);
    let back = send(&pool, &content).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert!(back == content, "{} bytes came back", back.len());
}

#[tokio::test]
async fn an_answer_that_stalls_is_broken_off_and_its_connection_closed() {
    let (listener, pool) = bare().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, "\r\n\r\nx").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
        stream
    };
    let limits = Limits { head: DEADLINE, pause: Duration::from_millis(30) };
    let ((outcome, guard), mut stream) = tokio::join!(send_within(&pool, "x", limits), server);
    let error = outcome.unwrap().into_body().collect().await.unwrap_err();
    assert!(matches!(error, AnswerError::Stalled(_)), "{error:?}");
    over(guard).await;
    closed(&mut stream).await;
}

#[tokio::test]
async fn half_an_answer_does_not_look_whole() {
    let (listener, pool) = bare().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, "\r\n\r\nx").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
    };
    let (outcome, ()) = tokio::join!(send(&pool, "x"), server);
    let error = outcome.unwrap().into_body().collect().await.unwrap_err();
    assert!(matches!(error, AnswerError::Broken(_)), "{error:?}");
}

/// A client of a proxy in front of a server that reads and says nothing.
async fn client(pause: Duration, sent: &str) -> (Front, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let front = Front::start(listener.local_addr().unwrap(), pause).await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        closed(&mut stream).await;
    });
    let mut client = TcpStream::connect(front.address).await.unwrap();
    client.write_all(sent.as_bytes()).await.unwrap();
    (front, client)
}

#[tokio::test]
async fn a_request_that_turns_out_too_long_is_the_clients_fault() {
    let sent = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n";
    let (mut front, _client) = client(DEADLINE, sent).await;
    assert!(matches!(front.error().await, ForwardError::TooLong));
}

#[tokio::test]
async fn a_client_that_stops_sending_is_given_up() {
    let sent = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc";
    let (mut front, _client) = client(Duration::from_millis(30), sent).await;
    assert!(matches!(front.error().await, ForwardError::ClientGone));
}
