//! A bounded memory of what was found out, for a while.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Requests on several cores seldom meet at one of these.
const SHARDS: usize = 16;

type Shard<K, V> = Mutex<HashMap<K, (V, Instant)>>;

/// Values that count until a given time. When it is full and nothing has run out, it starts anew.
pub(crate) struct Cache<K, V> {
    shards: [Shard<K, V>; SHARDS],
    most: usize,
    hasher: RandomState,
}

impl<K, V> std::fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("most", &self.most).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// One for about `most` values.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            most: most.div_ceil(SHARDS),
            hasher: RandomState::new(),
        }
    }

    /// The value, if it still counts.
    pub(crate) fn get(&self, key: &K, now: Instant) -> Option<V> {
        let shard = self.shard(key);
        shard.get(key).filter(|(_, until)| *until > now).map(|(value, _)| value.clone())
    }

    /// Remembers a value for `keep`.
    pub(crate) fn put(&self, key: K, value: V, now: Instant, keep: Duration) {
        let Some(until) = now.checked_add(keep).filter(|until| *until > now) else { return };
        let mut shard = self.shard(&key);
        if shard.len() >= self.most && !shard.contains_key(&key) {
            shard.retain(|_, (_, until)| *until > now);
            if shard.len() >= self.most {
                shard.clear();
            }
        }
        shard.insert(key, (value, until));
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, (V, Instant)>> {
        let index = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or_default();
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_run_out_and_never_become_too_many() {
        let (cache, now) = (Cache::new(SHARDS * 4), Instant::now());
        let second = Duration::from_secs(1);
        cache.put(1, 'a', now, second);
        cache.put(2, 'b', now, Duration::ZERO);
        assert_eq!((cache.get(&1, now), cache.get(&2, now)), (Some('a'), None));
        assert_eq!(cache.get(&1, now + second), None);
        for key in 0..10_000 {
            cache.put(key, 'c', now, second);
        }
        let held: usize = cache.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!((1..=SHARDS * 4).contains(&held), "{held}");
        assert_eq!(cache.get(&9_999, now), Some('c'), "the newest is there");
    }
}
