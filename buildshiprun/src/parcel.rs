//! Receives the signed tar and opens it.
//!
//! It may be large, so it goes to a file while it is hashed; the file has no name, so that nobody else can open it
//! and nothing is left behind whatever happens.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use axum::extract::Request;
use futures_util::StreamExt;
use http::StatusCode;
use sdk::deploy::{DeployOrder, ORDER_ENTRY};
use sdk::failure::Failure;
use sdk::signing::Key;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::config::IntakeConfig;

const MAX_ORDER_BYTES: u64 = 1024 * 1024;
const BLOCK: u64 = 512;
const BUFFER: usize = 256 * 1024;

/// The build context: the tar's bytes from `start` to its end.
pub(crate) struct Context {
    pub(crate) file: File,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// Takes a tar whose signature holds, and only then looks into it.
pub(crate) async fn receive(
    config: &IntakeConfig,
    key: &Key,
    request: Request,
) -> Result<(DeployOrder, Context), Failure> {
    let (head, body) = request.into_parts();
    let mut body = body.into_data_stream();
    let spooled = tokio::time::timeout(config.timeout, spool(config, &mut body)).await;
    let too_slow = |_| Failure::new(StatusCode::REQUEST_TIMEOUT, "the order did not arrive in time");
    let (file, digest) = spooled.map_err(too_slow)??;
    key.verify_digest(&head.method, &head.headers, digest).map_err(|error| Failure::unauthorized(error.to_string()))?;
    let opened = tokio::task::spawn_blocking(move || open(file)).await;
    opened.map_err(|lost| Failure::internal("the order could not be read").because(lost))?
}

async fn spool(config: &IntakeConfig, body: &mut axum::body::BodyDataStream) -> Result<(File, [u8; 32]), Failure> {
    let disk = |cause: io::Error| {
        Failure::new(StatusCode::INSUFFICIENT_STORAGE, "the build context could not be put on disk").because(cause)
    };
    let file = match &config.directory {
        Some(directory) => tempfile::tempfile_in(directory),
        None => tempfile::tempfile(),
    };
    let mut out = tokio::io::BufWriter::with_capacity(BUFFER, tokio::fs::File::from_std(file.map_err(disk)?));
    let (mut sum, mut length) = (Sha256::new(), 0u64);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|cause| Failure::bad_request("the order did not arrive whole").because(cause))?;
        length += chunk.len() as u64;
        if length > config.max_bytes {
            let sentence = format!("the build context is over {} MiB", config.max_bytes / (1024 * 1024));
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, sentence));
        }
        sum.update(&chunk);
        out.write_all(&chunk).await.map_err(disk)?;
    }
    out.flush().await.map_err(disk)?;
    Ok((out.into_inner().into_std().await, sum.finalize().into()))
}

fn open(mut file: File) -> Result<(DeployOrder, Context), Failure> {
    let malformed = |what: String| Failure::bad_request(format!("the order is not understood: {what}"));
    let (order, start) = first_entry(&mut file).map_err(|error| malformed(error.to_string()))?;
    let order = serde_json::from_slice(&order).map_err(|error| malformed(error.to_string()))?;
    let unreadable = |cause| Failure::internal("the order could not be read").because(cause);
    let end = file.seek(SeekFrom::End(0)).map_err(unreadable)?;
    Ok((order, Context { file, start, length: end.saturating_sub(start) }))
}

/// The order, and where the bytes after it begin.
fn first_entry(file: &mut File) -> io::Result<(Vec<u8>, u64)> {
    file.seek(SeekFrom::Start(0))?;
    let mut archive = tar::Archive::new(&*file);
    let mut entry = archive.entries()?.next().ok_or_else(|| io::Error::other("the tar is empty"))??;
    let plain = entry.header().entry_type().is_file() && entry.raw_header_position() == 0;
    if !plain || entry.path_bytes() != ORDER_ENTRY.as_bytes() {
        return Err(io::Error::other(format!("the tar does not begin with {ORDER_ENTRY}")));
    }
    let size = entry.size();
    if size > MAX_ORDER_BYTES {
        return Err(io::Error::other(format!("{ORDER_ENTRY} is over {MAX_ORDER_BYTES} bytes")));
    }
    let start = entry.raw_file_position() + size.next_multiple_of(BLOCK);
    let mut order = Vec::new();
    entry.read_to_end(&mut order)?;
    if order.len() as u64 == size { Ok((order, start)) } else { Err(io::Error::other("the tar is cut off")) }
}
