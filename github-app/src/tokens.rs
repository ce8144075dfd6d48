//! Installations' tokens, kept until shortly before their end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::Deserialize;

use crate::Scope;

/// A token is not given out in its last minutes: what is begun with it must end with it.
const LAST_MINUTES: TimeDelta = TimeDelta::minutes(5);
/// So many tokens are kept.
const MAX_TOKENS: usize = 4096;

/// An installation's token, as GitHub gives it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Token {
    pub(crate) token: SecretString,
    pub(crate) expires_at: DateTime<Utc>,
}

impl Token {
    pub(crate) fn is_good_at(&self, now: DateTime<Utc>) -> bool {
        self.expires_at - LAST_MINUTES > now
    }
}

pub(crate) type TokenKey = (u64, Scope);
/// Who holds a place asks GitHub, and the others wait for what comes of it.
pub(crate) type Place = Arc<tokio::sync::Mutex<Option<Token>>>;

/// The tokens of all installations.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<HashMap<TokenKey, Place>>);

impl Tokens {
    /// The place of one installation's token of one scope.
    pub(crate) fn place(&self, key: TokenKey, now: DateTime<Utc>) -> Place {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MAX_TOKENS && !places.contains_key(&key) {
            make_room(&mut places, now);
        }
        Arc::clone(places.entry(key).or_default())
    }
}

/// Drops what is of no use any more; where all are, any of them. One that is waited for right now stays with who waits.
fn make_room(places: &mut HashMap<TokenKey, Place>, now: DateTime<Utc>) {
    let used = |place: &Place| place.try_lock().map_or(true, |token| token.as_ref().is_some_and(|t| t.is_good_at(now)));
    places.retain(|_, place| used(place));
    if places.len() >= MAX_TOKENS {
        let some: Vec<_> = places.keys().take(MAX_TOKENS / 8).cloned().collect();
        some.iter().for_each(|key| drop(places.remove(key)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Permission;

    fn token(minutes: i64) -> Token {
        Token { token: "t".into(), expires_at: Utc::now() + TimeDelta::minutes(minutes) }
    }

    #[test]
    fn a_token_is_good_until_five_minutes_before_its_end() {
        let hour = token(60);
        assert!(hour.is_good_at(hour.expires_at - TimeDelta::seconds(301)));
        assert!(!hour.is_good_at(hour.expires_at - TimeDelta::seconds(300)));
        assert!(!token(4).is_good_at(Utc::now()));
    }

    #[test]
    fn the_store_is_bounded_and_drops_the_useless_first() {
        let tokens = Tokens::default();
        let key = |n: u64| (n, Scope::new([Permission::Checks], n + 1, "r"));
        for n in 0..MAX_TOKENS as u64 {
            let minutes = if n % 2 == 0 { 60 } else { 1 };
            *tokens.place(key(n), Utc::now()).try_lock().unwrap() = Some(token(minutes));
        }
        let _ = tokens.place(key(1_000_000), Utc::now());
        assert_eq!(tokens.0.lock().unwrap().len(), MAX_TOKENS / 2 + 1);
        assert!(tokens.place(key(0), Utc::now()).try_lock().unwrap().is_some());
        for n in 2_000_000..2_020_000 {
            *tokens.place(key(n), Utc::now()).try_lock().unwrap() = Some(token(60));
            assert!(tokens.0.lock().unwrap().len() <= MAX_TOKENS);
        }
    }
}
