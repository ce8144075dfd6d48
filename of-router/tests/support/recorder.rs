//! A server that records the bytes of every connection, reads them as strictly as can be, and says "ok" to each request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    raw: Arc<Mutex<Vec<u8>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self { address: listener.local_addr().unwrap(), raw: Arc::default(), requests: Arc::default() };
        let recorder = this.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(recorder.clone().read(stream));
            }
        });
        this
    }

    /// Heads of complete requests.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Everything that came, in lower case.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw.lock().unwrap()).to_ascii_lowercase()
    }

    async fn read(self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        loop {
            let mut chunk = [0; 4096];
            let Ok(count @ 1..) = stream.read(&mut chunk).await else { return };
            self.raw.lock().unwrap().extend_from_slice(&chunk[..count]);
            buffer.extend_from_slice(&chunk[..count]);
            while let Some((head, length)) = complete(&buffer) {
                buffer.drain(..length);
                self.requests.lock().unwrap().push(head);
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            }
        }
    }
}

/// The first request's head and its whole length, if it is all there.
fn complete(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).unwrap().to_ascii_lowercase();
    assert!(!head.replace("\r\n", "").contains(['\r', '\n', '\0']), "an odd head: {head:?}");
    let values = |name: &str| {
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
    };
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1, "more than one framing: {head:?}");
    if codings.is_empty() {
        let length: usize = lengths.first().map_or(0, |length| length.parse().unwrap());
        return (bytes.len() >= end + length).then_some((head, end + length));
    }
    assert_eq!(codings, ["chunked"]);
    let mut at = end;
    loop {
        let line = bytes[at..].windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[at..at + line]).unwrap(), 16).unwrap();
        at += line + 2 + size + 2;
        if bytes.len() < at {
            return None;
        }
        if size == 0 {
            return Some((head, at));
        }
    }
}
