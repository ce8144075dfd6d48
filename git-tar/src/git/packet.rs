//! git's packet lines.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::GitError;

/// The longest packet with its length.
const MAX_PACKET: usize = 65_520;

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet {
    /// `0000`: the end of a message.
    Flush,
    /// `0001`: the end of a section.
    Delimiter,
    /// `0002`: the end of an answer.
    End,
    /// Content.
    Data(Bytes),
}

impl Packet {
    /// The content as a line without its line feed.
    pub(super) fn line(&self) -> Option<&str> {
        match self {
            Self::Data(data) => std::str::from_utf8(data).ok().map(|text| text.strip_suffix('\n').unwrap_or(text)),
            _ => None,
        }
    }
}

/// A line as a packet.
pub(super) fn line(text: &str) -> String {
    format!("{:04x}{text}\n", text.len() + 5)
}

/// The packets of an answer, as they arrive.
pub(super) struct Packets {
    response: reqwest::Response,
    buffer: BytesMut,
    stall: Duration,
    left: u64,
}

impl Packets {
    /// Reads at most `limit` bytes, and waits for the next ones at most `stall`.
    pub(super) fn new(response: reqwest::Response, limit: u64, stall: Duration) -> Self {
        Self { response, buffer: BytesMut::new(), stall, left: limit }
    }

    /// The next packet, or `None` at the answer's end.
    pub(super) async fn next(&mut self) -> Result<Option<Packet>, GitError> {
        if !self.fill(4).await? {
            return if self.buffer.is_empty() { Ok(None) } else { Err(GitError::Protocol("it ends inside a packet")) };
        }
        let length = std::str::from_utf8(&self.buffer[..4]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        match length {
            Some(special @ 0..=2) => {
                let _ = self.buffer.split_to(4);
                Ok(Some([Packet::Flush, Packet::Delimiter, Packet::End][special].clone()))
            }
            Some(length @ 4..=MAX_PACKET) => {
                if !self.fill(length).await? {
                    return Err(GitError::Protocol("it ends inside a packet"));
                }
                Ok(Some(Packet::Data(self.buffer.split_to(length).split_off(4).freeze())))
            }
            _ => Err(GitError::Protocol("a packet has no length")),
        }
    }

    /// Waits until `wanted` bytes are there; false if the answer ends before.
    async fn fill(&mut self, wanted: usize) -> Result<bool, GitError> {
        while self.buffer.len() < wanted {
            let chunk = tokio::time::timeout(self.stall, self.response.chunk()).await;
            let chunk = chunk.map_err(|_| GitError::TimedOut(self.stall))?;
            let Some(chunk) = chunk.map_err(|cause| GitError::Unreachable(cause.without_url()))? else {
                return Ok(false);
            };
            self.left = self
                .left
                .checked_sub(chunk.len() as u64)
                .ok_or_else(|| GitError::TooBig("the host sends more than is allowed (max_fetch_bytes)".to_owned()))?;
            self.buffer.extend_from_slice(&chunk);
        }
        Ok(true)
    }
}
