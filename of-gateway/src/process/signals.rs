//! Signals, none of which is lost over a restart.
//!
//! They are blocked in every thread and read from a file descriptor. What is not read yet when one program replaces
//! the other stays pending, and the new program reads it. With handlers a signal could come when the old program's
//! are gone and the new one's are not there yet, and end the process.

use std::io;

use anyhow::Context as _;
use nix::sys::signal::{SIGHUP, SIGINT, SIGTERM, SIGUSR2, SigSet, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tokio::net::unix::pipe::Receiver;

/// The size of the kernel's record of one signal; it begins with the signal's number.
const RECORD: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM, SIGINT.
    End,
    /// SIGHUP.
    Reload,
    /// SIGUSR2.
    Restart,
}

/// The descriptor is no pipe, but is waited for and read like one.
#[derive(Debug)]
pub(crate) struct Signals(Receiver);

fn ours() -> SigSet {
    SigSet::from_iter([SIGTERM, SIGINT, SIGHUP, SIGUSR2])
}

impl Signals {
    /// To be called while there is one thread: those that it starts inherit it.
    pub(crate) fn block() -> anyhow::Result<()> {
        ours().thread_block().context("signals cannot be blocked")
    }

    pub(crate) fn listen() -> anyhow::Result<Self> {
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let signals = SignalFd::with_flags(&ours(), flags).context("there is no descriptor to read signals from")?;
        Ok(Self(Receiver::from_owned_fd_unchecked(signals.into())?))
    }

    /// Resolves with the next signal.
    pub(crate) async fn next(&self) -> anyhow::Result<Signal> {
        loop {
            self.0.readable().await?;
            if let Some(signal) = self.pending()? {
                return Ok(signal);
            }
        }
    }

    /// A signal that has come already.
    pub(crate) fn pending(&self) -> anyhow::Result<Option<Signal>> {
        let mut record = [0; RECORD];
        match self.0.try_read(&mut record) {
            Ok(_) => Ok(Some(signal(&record))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error).context("signals cannot be read"),
        }
    }
}

fn signal(record: &[u8; RECORD]) -> Signal {
    let [a, b, c, d, ..] = *record;
    match Number::try_from(i32::from_ne_bytes([a, b, c, d])) {
        Ok(SIGHUP) => Signal::Reload,
        Ok(SIGUSR2) => Signal::Restart,
        _ => Signal::End,
    }
}
