use tokio::io::AsyncWriteExt;

use crate::support::{bare, closed, over, read_until, send_within};

#[tokio::test]
async fn giving_up_before_the_answer_cancels_the_request() {
    let (listener, pool) = bare().await;
    let asking = tokio::spawn(async move { send_within(&pool, "x", crate::support::PATIENT).await.0.map(drop) });
    let (mut stream, _) = listener.accept().await.unwrap();
    read_until(&mut stream, "\r\n\r\nx").await;
    asking.abort();
    closed(&mut stream).await;
}

#[tokio::test]
async fn giving_up_within_the_answer_cancels_the_request() {
    let (listener, pool) = bare().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, "\r\n\r\nx").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
        stream
    };
    let ((outcome, guard), mut stream) = tokio::join!(send_within(&pool, "x", crate::support::PATIENT), server);
    drop(outcome.unwrap());
    over(guard).await;
    closed(&mut stream).await;
}
