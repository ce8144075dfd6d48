//! How often somebody may try.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;

/// Addresses that are told apart; more share one allowance.
const MOST: usize = 20_000;
const MINUTE: u64 = 60_000;

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Attempt {
    /// To sign in: its beginning and its end.
    Login,
    /// To begin a command line's login.
    Device,
    /// To ask whether it is confirmed, which happens every few seconds.
    Poll,
    /// To guess the code of somebody else's command line.
    Code,
}

/// Where a request comes from, as the router says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// An address; of IPv6 the network, because one machine has as many addresses there as it likes.
    At(IpAddr),
    /// The router said nothing.
    Unknown,
}

impl Client {
    /// The last address of `X-Forwarded-For`: what the router itself saw.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let last = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
        let address = last.and_then(|list| list.rsplit(',').next()).and_then(|text| text.trim().parse().ok());
        match address {
            Some(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
                Self::At(IpAddr::V6((u128::from(address) >> 64 << 64).into()))
            }
            Some(address) => Self::At(address.to_canonical()),
            None => Self::Unknown,
        }
    }
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::At(address) => address.fmt(f),
            Self::Unknown => f.write_str("an unknown address"),
        }
    }
}

/// Counts attempts. For each address and kind, the time in milliseconds until which its allowance is used up.
#[derive(Debug)]
pub(crate) struct Limiter {
    per_minute: u64,
    used: Mutex<HashMap<(Attempt, Client), u64>>,
}

impl Limiter {
    /// Allows this many attempts to sign in per minute and address; of questions, four times as many.
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { per_minute: u64::from(per_minute.max(1)), used: Mutex::default() }
    }

    /// True if one more attempt is allowed at a time in seconds; it is counted then.
    pub(crate) fn allows(&self, attempt: Attempt, client: Client, now: u64) -> bool {
        let per_minute = if attempt == Attempt::Poll { self.per_minute.saturating_mul(4) } else { self.per_minute };
        let (now, cost) = (now.saturating_mul(1000), (MINUTE / per_minute).max(1));
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (attempt, client);
        if used.len() >= MOST && !used.contains_key(&key) {
            used.retain(|_, until| *until > now);
            if used.len() >= MOST {
                key.1 = Client::Unknown;
            }
        }
        let until = used.entry(key).or_insert(now);
        let begin = (*until).max(now);
        if begin + cost > now + MINUTE {
            return false;
        }
        *until = begin + cost;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Client {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", text.parse().unwrap());
        Client::of(&headers)
    }

    #[test]
    fn a_minute_s_allowance_comes_back_bit_by_bit() {
        let (limiter, one, two) = (Limiter::new(3), client("192.0.2.1"), client("192.0.2.2"));
        let tries = |client, now| limiter.allows(Attempt::Login, client, now);
        assert!((0..3).all(|_| tries(one, 100)));
        assert!(!tries(one, 100) && !tries(one, 119));
        assert!(tries(two, 100), "another address has its own");
        assert!(limiter.allows(Attempt::Device, one, 100), "as has another kind");
        assert!(tries(one, 120) && !tries(one, 120), "a third after a third of the minute");
        assert!((0..3).all(|_| tries(one, 1000)));
        assert!(!tries(one, 1000), "no more than a minute's is saved up");
    }

    #[test]
    fn addresses_are_what_the_router_saw() {
        assert_eq!(client("203.0.113.9, 192.0.2.1"), client("192.0.2.1"));
        assert_eq!(client("2001:db8:1:2:3::4"), client("2001:db8:1:2:ffff::"));
        assert_ne!(client("2001:db8:1:2::"), client("2001:db8:1:3::"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_eq!(client("nonsense"), Client::Unknown);
        assert_eq!(Client::of(&HeaderMap::new()), Client::Unknown);
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = Limiter::new(1);
        for number in 0..30_000u32 {
            limiter.allows(Attempt::Login, Client::At(IpAddr::V4(number.into())), 100);
        }
        assert!(limiter.used.lock().unwrap().len() <= MOST + 1);
        assert!(!limiter.allows(Attempt::Login, client("192.0.2.1"), 100), "those beyond share one allowance");
        assert!(limiter.allows(Attempt::Login, client("192.0.2.1"), 200), "and have their own when it is quiet");
    }
}
