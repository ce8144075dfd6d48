//! The streams of a fetch.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use sdk::failure::Failure;
use sdk::id::RepoPath;
use tokio::io::AsyncReadExt;
use tokio::process::Child;
use tokio::sync::mpsc;

use crate::body::PushBody;
use crate::git::error_text;

/// The longest list of what a client wants and has, in bytes.
const MAX_REQUEST: usize = 16 * 1024 * 1024;
/// How much is read from git at once.
const CHUNK: usize = 64 * 1024;

/// How long the client may take to send its list.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads the client's list.
pub(crate) async fn read_request(body: PushBody) -> Result<Bytes, Failure> {
    let late = || Failure::new(StatusCode::REQUEST_TIMEOUT, "The fetch did not begin in time.");
    tokio::time::timeout(PATIENCE, read_all(body)).await.unwrap_or_else(|_| Err(late()))
}

async fn read_all(mut body: PushBody) -> Result<Bytes, Failure> {
    let mut all = BytesMut::new();
    while let Some(chunk) = body.next().await.map_err(|error| Failure::bad_request(format!("{error}.")))? {
        all.extend_from_slice(&chunk);
        if all.len() > MAX_REQUEST {
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "This fetch names too many commits."));
        }
    }
    Ok(all.freeze())
}

/// Passes git's answer on. A fetch that fails half-way ends with an error, so that nobody takes it for whole.
pub(crate) async fn stream(mut child: Child, to: mpsc::Sender<std::io::Result<Bytes>>, path: &RepoPath) {
    let (stdout, stderr, sender) = (child.stdout.take(), child.stderr.take(), to.clone());
    let read = async move {
        let Some(mut stdout) = stdout else { return Ok(()) };
        loop {
            let mut chunk = BytesMut::with_capacity(CHUNK);
            if stdout.read_buf(&mut chunk).await? == 0 {
                return Ok::<(), std::io::Error>(());
            }
            if sender.send(Ok(chunk.freeze())).await.is_err() {
                return Err(std::io::Error::other("the client is gone"));
            }
        }
    };
    // When the client is gone, git's output closes and git ends by itself.
    let (read, errors) = tokio::join!(read, error_text(stderr));
    let ended = child.wait().await;
    if read.is_err() || !ended.is_ok_and(|status| status.success()) {
        tracing::warn!(repo = %path, errors, "a fetch did not end well");
        let _ = to.send(Err(std::io::Error::other("git ended early"))).await;
    }
}
