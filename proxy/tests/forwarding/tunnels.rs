#![expect(clippy::unwrap_used, reason = "test helpers")]

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use upstream::ForwardError;

use crate::support::{DEADLINE, Front, bare, closed, read_until, send};

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\r\n";
const AGREE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

/// Both ends of a tunnel, after a word went each way.
async fn tunnel() -> (Front, TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let front = Front::start(listener.local_addr().unwrap(), DEADLINE).await;
    let mut client = TcpStream::connect(front.address).await.unwrap();
    client.write_all(ASK).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let asked = read_until(&mut server, "\r\n\r\n").await;
    assert!(asked.contains("connection: upgrade\r\n") && asked.contains("upgrade: websocket\r\n"), "{asked}");
    server.write_all(AGREE).await.unwrap();
    server.write_all(b"from server").await.unwrap();
    assert!(read_until(&mut client, "from server").await.starts_with("HTTP/1.1 101"));
    client.write_all(b"from client").await.unwrap();
    read_until(&mut server, "from client").await;
    (front, client, server)
}

/// Waits for the tunnel's guard; the proxy's own is gone with its last connection.
async fn freed(mut front: Front) {
    assert!(tokio::time::timeout(DEADLINE, front.guards.recv()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_tunnel_ends_when_its_client_leaves() {
    let (front, client, mut server) = tunnel().await;
    drop(client);
    closed(&mut server).await;
    drop(server);
    freed(front).await;
}

#[tokio::test]
async fn a_tunnel_ends_when_its_server_leaves() {
    let (front, mut client, server) = tunnel().await;
    drop(server);
    closed(&mut client).await;
    drop(client);
    freed(front).await;
}

#[tokio::test]
async fn a_tunnel_ends_with_the_shutdown() {
    let (front, mut client, mut server) = tunnel().await;
    front.shutdown.cancel();
    closed(&mut client).await;
    closed(&mut server).await;
    freed(front).await;
}

#[tokio::test]
async fn an_upgrade_that_is_declined_is_an_answer_like_any_other() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let front = Front::start(listener.local_addr().unwrap(), DEADLINE).await;
    let mut client = TcpStream::connect(front.address).await.unwrap();
    client.write_all(ASK).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    read_until(&mut server, "\r\n\r\n").await;
    server.write_all(b"HTTP/1.1 426 Upgrade Required\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
    assert!(read_until(&mut client, "no").await.starts_with("HTTP/1.1 426"));
}

#[tokio::test]
async fn a_server_that_leaves_http_unasked_has_not_answered() {
    let (listener, pool) = bare().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, "\r\n\r\nx").await;
        stream.write_all(AGREE).await.unwrap();
        stream
    };
    let (outcome, _stream) = tokio::join!(send(&pool, "x"), server);
    assert!(matches!(outcome, Err(ForwardError::Unasked)));
}
