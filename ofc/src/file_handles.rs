//! How many files and connections this process may have open.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Less, and a busy platform runs out: its router alone takes 10,000 connections, and each that it passes on
/// needs another.
pub const WANTED: u64 = 16_384;

/// How many this process could have; nothing where there is no limit.
pub fn most() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Takes as many as the system gives. All parts of the platform share one process, and what systems give without
/// being asked is often 1024: a choice for programs of another kind.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    match raise_from(&limit) {
        Ok(()) => {
            let (before, now) = (shown(limit.current), shown(limit.maximum));
            tracing::info!(before, now, "The number of files that may be open is at its most");
        }
        Err(cause) => {
            let (stays, wanted) = (shown(limit.current), shown(limit.maximum));
            tracing::warn!(stays, wanted, %cause, "The number of files that may be open could not be raised");
        }
    }
}

fn raise_from(limit: &Rlimit) -> io::Result<()> {
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}

/// A limit as people write it.
pub fn shown(limit: Option<u64>) -> String {
    limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_is_raised_to_the_most() {
        let before = getrlimit(Resource::Nofile);
        let low = before.maximum.unwrap_or(1024).min(1024) - 1;
        setrlimit(Resource::Nofile, Rlimit { current: Some(low), ..before }).unwrap();
        raise();
        assert_eq!(getrlimit(Resource::Nofile).current, most());
    }
}
