//! Whether the function accepts work, as `/_/health` and `/_/ready` tell it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// A question that the platform asks, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    Health,
    Ready,
}

impl Probe {
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path {
            "/_/health" => Some(Self::Health),
            "/_/ready" => Some(Self::Ready),
            _ => None,
        }
    }
}

/// Accepts work until told to stop, or until somebody removes the lock file.
#[derive(Debug)]
pub(crate) struct Health {
    accepting: AtomicBool,
    lock_file: Option<PathBuf>,
}

impl Health {
    /// Does not accept yet.
    pub(crate) fn new(lock_file: Option<PathBuf>) -> Self {
        Self {
            accepting: AtomicBool::new(false),
            lock_file,
        }
    }

    pub(crate) fn accept(&self) {
        self.accepting.store(true, Ordering::Release);
    }

    pub(crate) fn stop_accepting(&self) {
        self.accepting.store(false, Ordering::Release);
    }

    pub(crate) fn is_accepting(&self) -> bool {
        self.accepting.load(Ordering::Acquire)
    }

    /// Accepting, and the lock file is still there.
    pub(crate) fn is_healthy(&self) -> bool {
        // A look at one file in memory is cheaper than a trip to another thread.
        self.is_accepting() && self.lock_file.as_ref().is_none_or(|path| path.exists())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn healthy_between_start_and_stop() {
        let health = Health::new(None);
        assert!(!health.is_healthy());
        health.accept();
        assert!(health.is_healthy());
        health.stop_accepting();
        assert!(!health.is_healthy());
    }

    #[test]
    fn unhealthy_without_the_lock_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        std::fs::write(&path, []).unwrap();
        let health = Health::new(Some(path.clone()));
        health.accept();
        assert!(health.is_healthy());
        std::fs::remove_file(path).unwrap();
        assert!(!health.is_healthy());
        assert!(health.is_accepting());
    }

    #[test]
    fn only_two_paths_are_probes() {
        assert_eq!(Probe::of("/_/health"), Some(Probe::Health));
        assert_eq!(Probe::of("/_/ready"), Some(Probe::Ready));
        assert_eq!(Probe::of("/_/healthy"), None);
        assert_eq!(Probe::of("/"), None);
    }
}
