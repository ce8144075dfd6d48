//! The answer to a push: git's own words, and ours beside them.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use crate::commands::Commands;
use crate::pktline::{self, DATA, FLUSH, KEEP_ALIVE, PROGRESS};
use crate::plain;

/// A client that takes nothing for this long is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the answer to one push goes. Everything may be called after the client is gone: then nothing happens.
#[derive(Debug)]
pub(crate) struct Reply {
    to: mpsc::Sender<Bytes>,
    side_band: bool,
    report: bool,
    begun: bool,
    gone: bool,
}

impl Reply {
    /// An answer for a client that announced these abilities.
    pub(crate) fn new(to: mpsc::Sender<Bytes>, commands: &Commands) -> Self {
        Self { to, side_band: commands.side_band, report: commands.report, begun: false, gone: false }
    }

    /// True if the client can be shown messages and is still there.
    pub(crate) fn listens(&self) -> bool {
        self.side_band && !self.gone && !self.to.is_closed()
    }

    /// True once anything was sent.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Waits until the client is gone.
    pub(crate) async fn closed(&self) {
        self.to.closed().await;
    }

    /// Passes on what git wrote.
    pub(crate) async fn raw(&mut self, bytes: Bytes) {
        if !self.gone && !bytes.is_empty() {
            self.begun = true;
            self.gone = self.to.send_timeout(bytes, PATIENCE).await.is_err();
        }
    }

    /// Shows one line to the pusher.
    pub(crate) async fn say(&mut self, line: &str) {
        if self.side_band {
            let line = format!("{}\n", plain::line(line, usize::MAX));
            self.raw(pktline::band(PROGRESS, line.as_bytes())).await;
        }
    }

    /// Sends nothing, visibly to proxies only.
    pub(crate) async fn keep_alive(&mut self) {
        if self.side_band {
            self.raw(Bytes::from_static(KEEP_ALIVE)).await;
        }
    }

    /// Ends the answer. Without a side band git's own end was passed on already.
    pub(crate) async fn end(&mut self) {
        if self.side_band {
            self.raw(Bytes::from_static(FLUSH)).await;
        }
    }

    /// Refuses the whole push in git's own form, before git has said anything.
    pub(crate) async fn refuse(&mut self, commands: &Commands, sentence: &str) {
        self.say(sentence).await;
        if self.report {
            let report = refusal(commands, sentence);
            self.raw(if self.side_band { pktline::band(DATA, &report) } else { report }).await;
        }
        self.end().await;
    }
}

/// A report that says no to every reference.
fn refusal(commands: &Commands, sentence: &str) -> Bytes {
    let reason = plain::line(sentence, 200);
    let mut out = BytesMut::new();
    pktline::put(&mut out, format!("unpack {reason}\n").as_bytes());
    for name in &commands.references {
        pktline::put(&mut out, format!("ng {name} not accepted\n").as_bytes());
    }
    out.extend_from_slice(FLUSH);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_without_side_band_gets_the_protocol_only() {
        let (to, mut from) = mpsc::channel(8);
        let commands = Commands { report: true, references: vec!["refs/heads/a".into()], ..Commands::default() };
        let mut reply = Reply::new(to, &commands);
        reply.say("hello").await;
        reply.keep_alive().await;
        reply.refuse(&commands, "no").await;
        drop(reply);
        assert_eq!(from.recv().await.unwrap(), "000eunpack no\n0021ng refs/heads/a not accepted\n0000");
        assert!(from.recv().await.is_none());
    }

    #[tokio::test]
    async fn nothing_fails_when_the_client_is_gone() {
        let (to, from) = mpsc::channel(1);
        drop(from);
        let mut reply = Reply::new(to, &Commands { side_band: true, ..Commands::default() });
        reply.say("hello").await;
        reply.end().await;
        assert!(!reply.listens());
    }
}
