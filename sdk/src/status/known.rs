//! What was found out at a host: a bounded memory that also keeps two reports of one thing from making it twice.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// So many things are remembered; a forgotten one is looked up.
const MAX_KNOWN: usize = 8192;

/// Who holds a place may report, and others of the same key wait in the order in which they came.
pub type Place<V> = Arc<tokio::sync::Mutex<Option<V>>>;

/// A memory of `V` by `K`.
#[derive(Debug)]
pub struct Known<K, V>(Mutex<Places<K, V>>);

#[derive(Debug)]
struct Places<K, V> {
    by_key: HashMap<K, Place<V>>,
    order: VecDeque<K>,
}

impl<K, V> Default for Known<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Places { by_key: HashMap::new(), order: VecDeque::new() }))
    }
}

impl<K: Clone + Eq + Hash, V> Known<K, V> {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The place of one key.
    pub fn place(&self, key: K) -> Place<V> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.by_key.get(&key) {
            return Arc::clone(place);
        }
        places.make_room();
        let place = Place::default();
        places.by_key.insert(key.clone(), Arc::clone(&place));
        places.order.push_back(key);
        place
    }
}

impl<K: Clone + Eq + Hash, V> Places<K, V> {
    /// Forgets the oldest that nobody holds.
    fn make_room(&mut self) {
        for _ in 0..self.order.len() {
            if self.by_key.len() < MAX_KNOWN {
                return;
            }
            let Some(oldest) = self.order.pop_front() else { return };
            match self.by_key.get(&oldest) {
                Some(held) if Arc::strong_count(held) > 1 => self.order.push_back(oldest),
                _ => drop(self.by_key.remove(&oldest)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_bounded_and_keeps_the_newest_and_what_is_held() {
        let known = Known::new();
        let held = known.place(0);
        for n in 0..50_000_u32 {
            *known.place(n).try_lock().unwrap() = Some(n);
            known.place(n);
        }
        let places = known.0.lock().unwrap();
        assert_eq!((places.by_key.len(), places.order.len()), (MAX_KNOWN, MAX_KNOWN));
        drop(places);
        assert_eq!(*known.place(49_999).try_lock().unwrap(), Some(49_999));
        assert_eq!(*known.place(1).try_lock().unwrap(), None);
        assert!(Arc::ptr_eq(&held, &known.place(0)));
    }
}
