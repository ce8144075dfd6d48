use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use upstream::{ForwardError, Limits};

use crate::support::{DEADLINE, bare, closed, echo, over, read_until, send, send_within, text};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn requests_one_after_the_other_share_a_connection() {
    let (pool, connections) = echo(DEADLINE).await;
    for _ in 0..20 {
        assert_eq!(text(send(&pool, "hello").await).await, "hello");
        // The connection's own task notices the end of the answer a moment later.
        tokio::task::yield_now().await;
    }
    assert!(connections.load(Ordering::SeqCst) <= 2, "{connections:?} connections");
}

#[tokio::test]
async fn requests_at_the_same_time_do_not_wait_for_each_other() {
    let (listener, pool) = bare().await;
    let server = async {
        let (mut first, _) = listener.accept().await.unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        for stream in [&mut second, &mut first] {
            read_until(stream, "\r\n\r\n").await;
            stream.write_all(OK).await.unwrap();
        }
        (first, second)
    };
    let (one, other, _open) = tokio::join!(send(&pool, "a"), send(&pool, "b"), server);
    for outcome in [one, other] {
        assert_eq!(text(outcome).await, "ok");
    }
}

#[tokio::test]
async fn a_connection_that_was_idle_too_long_is_not_used_again() {
    let (pool, connections) = echo(Duration::ZERO).await;
    for _ in 0..3 {
        text(send(&pool, "hello").await).await;
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn sweeping_closes_what_is_idle_and_dead() {
    let (listener, _) = bare().await;
    let pool = upstream::Upstream::new(listener.local_addr().unwrap().to_string(), Duration::ZERO);
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(OK).await.unwrap();
        stream
    };
    let (outcome, mut stream) = tokio::join!(send(&pool, ""), server);
    assert_eq!(text(outcome).await, "ok");
    pool.sweep();
    closed(&mut stream).await;
}

#[tokio::test]
async fn a_server_that_closes_idle_connections_fails_no_request() {
    let (listener, pool) = bare().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                read_until(&mut stream, "\r\n\r\n").await;
                // It promises to stay and closes all the same.
                stream.write_all(OK).await.unwrap();
            });
        }
    });
    for _ in 0..40 {
        assert_eq!(text(send(&pool, "").await).await, "ok");
    }
}

#[tokio::test]
async fn a_request_that_was_written_is_never_sent_again() {
    let (listener, pool) = bare().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, "first").await;
        stream.write_all(OK).await.unwrap();
        read_until(&mut stream, "second").await;
        drop(stream);
        listener
    });
    assert_eq!(text(send(&pool, "first").await).await, "ok");
    // Until the pool has it back, a second request would go to a connection of its own.
    tokio::task::yield_now().await;
    assert!(matches!(send(&pool, "second").await, Err(ForwardError::Broken(_))));
    let listener = server.await.unwrap();
    let again = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
    assert!(again.is_err(), "nobody came again");
}

#[tokio::test]
async fn failures_are_told_apart_and_free_what_they_held() {
    let (listener, nobody) = bare().await;
    drop(listener);
    let (outcome, guard) = send_within(&nobody, "x", crate::support::PATIENT).await;
    assert!(matches!(outcome, Err(ForwardError::Connect { .. })));
    over(guard).await;

    let (listener, hangs_up) = bare().await;
    let hanging_up = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, "\r\n\r\nx").await;
    };
    let (outcome, ()) = tokio::join!(send(&hangs_up, "x"), hanging_up);
    assert!(matches!(outcome, Err(ForwardError::Broken(_))));

    let (_listener, silent) = bare().await;
    let limits = Limits { head: Duration::from_millis(30), pause: DEADLINE };
    let (outcome, guard) = send_within(&silent, "x", limits).await;
    assert!(matches!(outcome, Err(ForwardError::Timeout(_))));
    over(guard).await;
}
