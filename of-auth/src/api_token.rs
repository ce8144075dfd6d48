//! API tokens, for command lines and programs.

use std::collections::BTreeSet;

use secrecy::SecretString;
use session::protocol::{API_TOKEN_PREFIX, Scope};

use crate::app::App;
use crate::random::{self, NoRandom};
use crate::store::{ApiToken, StoreError, TOKENS_PER_PERSON};

const DAY: u64 = 24 * 3600;
/// How long a token counts if nobody says how long, in days.
pub(crate) const DAYS: u64 = 90;
/// No token counts longer, in days.
pub(crate) const MOST_DAYS: u64 = 365;
/// The longest name, in characters.
const MAX_NAME: usize = 60;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoToken {
    #[error("a name has 1 to {MAX_NAME} characters, none of them a control character")]
    Name,
    #[error("at least one of invoke, read and write has to be asked for")]
    Scopes,
    #[error("a token counts for 1 to {MOST_DAYS} days")]
    Days,
    #[error("you have {TOKENS_PER_PERSON} tokens; revoke one first")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Random(#[from] NoRandom),
}

/// What a token is to be.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) scopes: BTreeSet<Scope>,
    pub(crate) days: u64,
}

impl Wanted {
    /// What is asked for, if it may be.
    pub(crate) fn new(name: &str, scopes: BTreeSet<Scope>, days: Option<u64>) -> Result<Self, NoToken> {
        let (name, days) = (name.trim(), days.unwrap_or(DAYS));
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(hidden) {
            return Err(NoToken::Name);
        }
        if scopes.is_empty() {
            return Err(NoToken::Scopes);
        }
        if !(1..=MOST_DAYS).contains(&days) {
            return Err(NoToken::Days);
        }
        Ok(Self { name: name.to_owned(), scopes, days })
    }
}

/// Controls, and marks that turn the direction of text: a name is shown to whoever confirms it.
fn hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A new token: its text, which is shown once, the hash under which it is kept, and what is known of it.
pub(crate) struct Made {
    pub(crate) text: SecretString,
    pub(crate) hash: [u8; 32],
    pub(crate) token: ApiToken,
}

/// Makes a token that is not kept yet.
pub(crate) fn make(subject: String, wanted: Wanted, now: u64) -> Result<Made, NoRandom> {
    let secret = random::value()?;
    let token = ApiToken {
        id: format!("t-{}", random::name()?),
        subject,
        name: wanted.name,
        scopes: wanted.scopes,
        created: now,
        used: None,
        expires: now.saturating_add(wanted.days * DAY),
    };
    Ok(Made { hash: random::hash(&secret), text: format!("{API_TOKEN_PREFIX}{secret}").into(), token })
}

impl App {
    /// Makes a token of a person's that counts at once.
    pub(crate) async fn make_token(&self, subject: &str, wanted: Wanted) -> Result<Made, NoToken> {
        let made = make(subject.to_owned(), wanted, self.clock.now())?;
        if self.store.keep_token(made.hash, made.token.clone()).await? { Ok(made) } else { Err(NoToken::TooMany) }
    }

    /// Takes back one of a person's tokens; its name, if there was one. Routers know it at once.
    pub(crate) async fn revoke_token(&self, id: &str, subject: &str) -> Result<Option<String>, StoreError> {
        let revoked = self.store.revoke_token(id, subject, self.clock.now()).await?;
        Ok(revoked.map(|(name, until)| {
            self.notices.publish(&[(id.to_owned(), until)]);
            name
        }))
    }

    /// Takes back all tokens of a person, or all there are, but `except`. Routers know it at once. How many.
    pub(crate) async fn revoke_tokens(&self, of: Option<String>, except: &str) -> Result<usize, StoreError> {
        let ended = self.store.revoke_tokens(of, except, self.clock.now()).await?;
        self.notices.publish(&ended);
        Ok(ended.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_is_to_be_is_checked() {
        let scopes = BTreeSet::from([Scope::Read]);
        let wanted = Wanted::new("  laptop ", scopes.clone(), None).unwrap();
        assert_eq!((wanted.name.as_str(), wanted.days), ("laptop", DAYS));
        for name in ["", " ", "a\nb", "a\u{202e}b", &"x".repeat(61)] {
            assert!(matches!(Wanted::new(name, scopes.clone(), None), Err(NoToken::Name)), "{name:?}");
        }
        assert!(matches!(Wanted::new("a", BTreeSet::new(), None), Err(NoToken::Scopes)));
        for days in [0, 366, u64::MAX] {
            assert!(matches!(Wanted::new("a", scopes.clone(), Some(days)), Err(NoToken::Days)), "{days}");
        }
    }
}
