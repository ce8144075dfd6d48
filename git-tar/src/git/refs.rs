//! Which commit a name stands for.

use super::packet::{Packet, Packets, line};
use super::{GitError, Remote};

/// All that a host may say about its refs, in bytes.
const MAX_REFS_BYTES: u64 = 32 * 1024 * 1024;

impl Remote {
    /// The commit that one of `names` (full ref names, or `HEAD`) stands for, the first that there is.
    /// An annotated tag stands for its commit.
    pub(crate) async fn head_of(&self, names: &[String]) -> Result<Option<String>, GitError> {
        let deadline = self.limits.timeout;
        let listed =
            tokio::time::timeout(deadline, self.list(names)).await.map_err(|_| GitError::TimedOut(deadline))??;
        Ok(names.iter().find_map(|name| listed.iter().find(|(listed, _)| listed == name)).map(|(_, id)| id.clone()))
    }

    async fn list(&self, names: &[String]) -> Result<Vec<(String, String)>, GitError> {
        match self.list_v2(names).await {
            // What a server of version 0 makes of a command of version 2 is not defined; ask it in its own way.
            Err(GitError::Protocol(_) | GitError::Refused(_) | GitError::Unreachable(_)) => self.list_v0(names).await,
            Err(GitError::Status(status)) if status.is_server_error() || status.as_u16() == 400 => {
                self.list_v0(names).await
            }
            answer => answer,
        }
    }

    async fn list_v2(&self, names: &[String]) -> Result<Vec<(String, String)>, GitError> {
        let prefixes: String = names.iter().map(|name| line(&format!("ref-prefix {name}"))).collect();
        let body = format!("{}0001{}{prefixes}0000", line("command=ls-refs"), line("peel"));
        let mut packets = self.upload_pack(body, true, MAX_REFS_BYTES).await?;
        let mut found = Vec::new();
        while let Some(packet) = packets.next().await? {
            let Some(text) = packet.line() else {
                return Ok(found);
            };
            refused(text)?;
            let (id, rest) = text.split_once(' ').filter(|(id, _)| is_id(id)).ok_or(GitError::Protocol("no ref"))?;
            let mut words = rest.split(' ');
            let name = words.next().unwrap_or_default().to_owned();
            let peeled = words.find_map(|word| word.strip_prefix("peeled:"));
            if names.contains(&name) {
                found.push((name, peeled.unwrap_or(id).to_owned()));
            }
        }
        Err(GitError::Protocol("the list of refs has no end"))
    }

    async fn list_v0(&self, names: &[String]) -> Result<Vec<(String, String)>, GitError> {
        let mut packets = self.advertisement(MAX_REFS_BYTES).await?;
        skip_service(&mut packets).await?;
        let mut found: Vec<(String, String)> = Vec::new();
        while let Some(packet) = packets.next().await? {
            let Packet::Data(data) = &packet else { return Ok(found) };
            let text = std::str::from_utf8(data.split(|byte| *byte == 0).next().unwrap_or_default());
            let text = text.map_err(|_| GitError::Protocol("a ref is not UTF-8"))?.trim_end();
            refused(text)?;
            let (id, name) = text.split_once(' ').filter(|(id, _)| is_id(id)).ok_or(GitError::Protocol("no ref"))?;
            if let Some(tag) = name.strip_suffix("^{}") {
                found.iter_mut().filter(|(known, _)| known == tag).for_each(|(_, known)| *known = id.to_owned());
            } else if names.iter().any(|wanted| wanted == name) {
                found.push((name.to_owned(), id.to_owned()));
            }
        }
        Err(GitError::Protocol("the list of refs has no end"))
    }
}

/// Passes over the `# service` line and the flush after it.
async fn skip_service(packets: &mut Packets) -> Result<(), GitError> {
    let first = packets.next().await?;
    let service = first.as_ref().and_then(Packet::line).is_some_and(|line| line.starts_with("# service="));
    match (service, packets.next().await?) {
        (true, Some(Packet::Flush)) => Ok(()),
        _ => Err(GitError::Protocol("it does not speak git's smart protocol")),
    }
}

/// The host's own sentence, where the line is one.
pub(super) fn refused(line: &str) -> Result<(), GitError> {
    let Some(sentence) = line.strip_prefix("ERR ") else { return Ok(()) };
    if sentence.contains("not our ref") {
        return Err(GitError::UnknownCommit);
    }
    Err(GitError::Refused(sentence.chars().filter(|c| !c.is_control()).take(200).collect()))
}

fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
