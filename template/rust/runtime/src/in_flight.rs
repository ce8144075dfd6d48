//! How many requests are being answered, and the limit on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the requests being answered.
#[derive(Debug)]
pub(crate) struct InFlight {
    count: AtomicUsize,
    limit: usize,
}

/// One counted request, until dropped.
#[derive(Debug)]
pub(crate) struct Slot(Arc<InFlight>);

impl InFlight {
    pub(crate) fn new(limit: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            count: AtomicUsize::new(0),
            limit: limit.unwrap_or(usize::MAX),
        })
    }

    /// Counts one more request, or `None` at the limit.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Slot> {
        let raised = |count| (count < self.limit).then_some(count + 1);
        self.count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, raised)
            .ok()?;
        Some(Slot(Arc::clone(self)))
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count() >= self.limit
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_and_frees_again() {
        let requests = InFlight::new(Some(2));
        let first = requests.enter().unwrap();
        let _second = requests.enter().unwrap();
        assert!(requests.enter().is_none());
        assert!(requests.is_full());
        drop(first);
        assert_eq!(requests.count(), 1);
        assert!(requests.enter().is_some());
    }

    #[test]
    fn no_limit_never_fills() {
        let requests = InFlight::new(None);
        let slots: Vec<_> = (0..1000).map(|_| requests.enter().unwrap()).collect();
        assert_eq!(requests.count(), slots.len());
        assert!(!requests.is_full());
    }
}
