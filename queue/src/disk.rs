//! How much more a disk takes. New calls are refused before it is full: a call that runs or ends is written down too, and
//! calls that have filled the disk could otherwise never run and make room.

use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

/// What new calls leave free for those that wait: several times what the embedded store writes until it puts its log
/// into its file.
const RESERVE: u64 = 16 << 20;

/// The disk that a directory is on.
#[derive(Debug)]
pub(crate) struct Disk(PathBuf);

impl Disk {
    pub(crate) fn of(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// Bytes that new files may take.
    pub(crate) fn room(&self) -> u64 {
        self.free().saturating_sub(RESERVE)
    }

    /// Bytes that new calls may take in a file with so many unused bytes and its log of this length. What is stored
    /// needs room in both.
    pub(crate) fn room_in_store(&self, unused: u64, log: u64) -> u64 {
        room_in_store(self.free(), unused, log)
    }

    /// A disk that cannot be measured tells when it is written to.
    fn free(&self) -> u64 {
        statvfs(&self.0).map_or(u64::MAX, |about| about.f_bavail.saturating_mul(about.f_frsize))
    }
}

/// The log is written from its beginning again once it is in the file, so its length counts as free there.
fn room_in_store(free: u64, unused: u64, log: u64) -> u64 {
    let in_log = free.saturating_add(log).saturating_sub(RESERVE / 2);
    let in_both = free.saturating_add(unused).saturating_sub(RESERVE);
    in_log.min(in_both / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_calls_have_left_is_room_and_the_reserve_is_none() {
        let mib = |bytes: u64| bytes << 20;
        for (free, unused, log, room) in [
            (mib(0), 0, 0, 0),
            (mib(16), 0, mib(4), 0),
            (mib(16), 0, mib(100), 0),
            (mib(36), 0, 0, mib(10)),
            (mib(16), mib(1000), mib(4), mib(12)),
            (mib(4), mib(1000), mib(2), 0),
            (u64::MAX, 0, 0, (u64::MAX - RESERVE) / 2),
        ] {
            assert_eq!(room_in_store(free, unused, log), room, "{free} {unused} {log}");
        }
    }
}
