//! The beginning of a push: which references it wants to change, and what the client understands.

use bytes::{Bytes, BytesMut};

use crate::body::{BodyError, PushBody};
use crate::pktline::{self, Malformed, Packet};

/// The most references that one push may change.
const MAX_COMMANDS: usize = 1000;
/// The longest list of commands, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// The list of commands in front of a pack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Commands {
    /// Everything that was read so far, to be handed to git as it is.
    pub(crate) raw: Bytes,
    /// The references to change.
    pub(crate) references: Vec<String>,
    /// The client reads messages while it waits.
    pub(crate) side_band: bool,
    /// The client wants to know what became of each reference.
    pub(crate) report: bool,
}

/// Why the commands could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandsError {
    /// The body could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// It is not git's protocol.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The body ended before the list did.
    #[error("the push ended before its list of references did")]
    Short,
    /// Too many references at once.
    #[error("this push changes more than {MAX_COMMANDS} references; push them in several parts")]
    TooMany,
}

/// Reads up to the end of the list. A body that is only an end is git's way of trying the connection.
pub(crate) async fn read(body: &mut PushBody) -> Result<Commands, CommandsError> {
    let mut all = BytesMut::new();
    let mut unread = BytesMut::new();
    let mut commands = Commands::default();
    loop {
        while let Some(packet) = pktline::take(&mut unread)? {
            match packet {
                Packet::Flush => {
                    commands.raw = all.freeze();
                    return Ok(commands);
                }
                Packet::Data(_) => commands.add(packet.content()),
            }
        }
        if commands.references.len() > MAX_COMMANDS || all.len() > MAX_BYTES {
            return Err(CommandsError::TooMany);
        }
        let chunk = body.next().await?.ok_or(CommandsError::Short)?;
        all.extend_from_slice(&chunk);
        unread.extend_from_slice(&chunk);
    }
}

impl Commands {
    /// One line: old id, new id, name and, on the first, the capabilities after a NUL.
    fn add(&mut self, content: &[u8]) {
        let mut halves = content.splitn(2, |b| *b == 0);
        let line = String::from_utf8_lossy(halves.next().unwrap_or_default());
        let line = line.trim_end_matches('\n');
        if let Some(capabilities) = halves.next() {
            let capabilities = String::from_utf8_lossy(capabilities);
            let has = |name: &str| capabilities.split_ascii_whitespace().any(|c| c == name);
            self.side_band = has("side-band-64k");
            self.report = has("report-status") || has("report-status-v2");
        }
        // Lines such as "shallow <id>" are no commands; git itself judges them.
        let mut words = line.splitn(3, ' ');
        if let (Some(old), Some(_), Some(name)) = (words.next(), words.next(), words.next())
            && matches!(old.len(), 40 | 64)
        {
            self.references.push(name.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::HeaderMap;

    use super::*;

    async fn read_from(content: &[u8]) -> Result<Commands, CommandsError> {
        let mut body = PushBody::new(&HeaderMap::new(), Body::from(content.to_vec())).unwrap();
        read(&mut body).await
    }

    fn line(name: &str, capabilities: &str) -> Vec<u8> {
        let mut out = BytesMut::new();
        let ids = format!("{} {}", "0".repeat(40), "a".repeat(40));
        let end = if capabilities.is_empty() { String::new() } else { format!("\0{capabilities}") };
        pktline::put(&mut out, format!("{ids} {name}{end}").as_bytes());
        out.to_vec()
    }

    #[tokio::test]
    async fn names_and_capabilities_are_read_and_nothing_is_lost() {
        let mut content = line("refs/heads/main", " report-status side-band-64k agent=git/2");
        content.extend(line("refs/heads/b", ""));
        content.extend_from_slice(b"0000PACK....");
        let commands = read_from(&content).await.unwrap();
        assert_eq!(commands.references, ["refs/heads/main", "refs/heads/b"]);
        assert!(commands.side_band && commands.report);
        assert_eq!(&commands.raw[..], &content[..]);
    }

    #[tokio::test]
    async fn a_lone_end_is_a_trial() {
        assert!(read_from(b"0000").await.unwrap().references.is_empty());
    }

    #[tokio::test]
    async fn what_is_no_push_is_refused() {
        assert!(matches!(read_from(b"").await, Err(CommandsError::Short)));
        assert!(matches!(read_from(b"0010abc").await, Err(CommandsError::Short)));
        assert!(matches!(read_from(b"PACK0000").await, Err(CommandsError::Malformed(_))));
        let many: Vec<u8> = (0..=MAX_COMMANDS).flat_map(|n| line(&format!("refs/heads/{n}"), "")).collect();
        assert!(matches!(read_from(&many).await, Err(CommandsError::TooMany)));
    }
}
