//! What DNS said, and for how long it counts.

use std::time::{Duration, Instant};

use sdk::id::OwnerId;

use super::{ByHost, Found};

/// A record is asked for again after what it says, but not sooner and not later than this.
const BOUNDS: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(3600));
/// The wait after a failure.
const RETRY: Duration = Duration::from_secs(30);
/// How long the last clear word counts while DNS fails.
const LAST_GOOD: Duration = Duration::from_secs(3600);

/// The last word about each host.
#[derive(Debug, Clone, Default)]
pub(super) struct Proofs(ByHost<Proof>);

#[derive(Debug, Clone)]
struct Proof {
    owner: Option<OwnerId>,
    ask_again: Instant,
    good_until: Instant,
}

impl Proofs {
    /// The owner that DNS names.
    pub(super) fn owner(&self, host: &str, now: Instant) -> Option<OwnerId> {
        self.0.get(host).filter(|proof| proof.good_until > now).and_then(|proof| proof.owner.clone())
    }

    /// Whether it is time to ask.
    pub(super) fn is_due(&self, host: &str, now: Instant) -> bool {
        self.0.get(host).is_none_or(|proof| proof.ask_again <= now)
    }

    /// Takes a word in. A failure leaves the last one as it is.
    pub(super) fn learn(&mut self, host: String, found: Found, now: Instant) {
        match found {
            Found::Word(owner, ttl) => {
                let ask_again = now + ttl.clamp(BOUNDS.0, BOUNDS.1);
                self.0.insert(host, Proof { owner, ask_again, good_until: ask_again + LAST_GOOD });
            }
            Found::Failure => {
                let nothing = Proof { owner: None, ask_again: now, good_until: now };
                self.0.entry(host).or_insert(nothing).ask_again = now + RETRY;
            }
        }
    }

    /// Has everything asked again. What is known counts until there is a clear word.
    pub(super) fn ask_all_again(&mut self) {
        let now = Instant::now();
        self.0.values_mut().for_each(|proof| proof.ask_again = now);
    }

    /// Forgets all other hosts.
    pub(super) fn keep(&mut self, hosts: &[String]) {
        self.0.retain(|host, _| hosts.binary_search(host).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(id: u64, seconds: u64) -> Found {
        Found::Word(Some(OwnerId { host: "h".into(), id }), Duration::from_secs(seconds))
    }

    fn owner(proofs: &Proofs, now: Instant) -> Option<u64> {
        proofs.owner("a.com", now).map(|owner| owner.id)
    }

    #[test]
    fn a_record_counts_for_its_time_within_bounds() {
        let (mut proofs, now) = (Proofs::default(), Instant::now());
        assert!(proofs.is_due("a.com", now));
        for (says, expected) in [(0, 30), (60, 60), (1_000_000, 3600)] {
            proofs.learn("a.com".into(), word(7, says), now);
            let again = now + Duration::from_secs(expected);
            assert!(!proofs.is_due("a.com", again - Duration::from_millis(1)) && proofs.is_due("a.com", again));
        }
        proofs.learn("a.com".into(), Found::Word(None, BOUNDS.0), now);
        assert_eq!(owner(&proofs, now), None, "a record that was taken away counts at once");
    }

    #[test]
    fn the_last_clear_word_outlives_failures_for_a_while() {
        let (mut proofs, now) = (Proofs::default(), Instant::now());
        proofs.learn("a.com".into(), Found::Failure, now);
        assert_eq!(owner(&proofs, now), None);
        assert!(!proofs.is_due("a.com", now) && proofs.is_due("a.com", now + RETRY));
        proofs.learn("a.com".into(), word(7, 30), now);
        let mut later = now;
        for _ in 0..10 {
            later += RETRY;
            proofs.learn("a.com".into(), Found::Failure, later);
        }
        assert_eq!(owner(&proofs, later), Some(7));
        assert_eq!(owner(&proofs, now + BOUNDS.0 + LAST_GOOD), None);
        proofs.keep(&[]);
        assert!(proofs.is_due("a.com", now));
    }
}
