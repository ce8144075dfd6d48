//! Tokens of installations: what the platform does with one owner's repositories, for an hour.
//!
//! A token says itself what it is good for, under this host's seal; nothing is kept. What it says about
//! repositories is looked up at every use, so one of a repository that is gone opens nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::github_app::{Level, Permissions};
use crate::seal::Seal;

/// How long a token is good, in seconds.
pub(crate) const SECONDS: u64 = 3600;
/// The most repositories that one names; GitHub's limit.
pub(crate) const MAX_REPOSITORIES: usize = 500;
/// Tells such a token from others when one turns up where it should not.
const PREFIX: &str = "ofs_";
/// Longer ones are not looked at, in bytes.
const MAX_LENGTH: usize = 16 * 1024;

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// The installation's number, which is its owner's.
    pub(crate) installation: u64,
    pub(crate) permissions: Permissions,
    /// The numbers of the repositories; `None` for all that the installation has.
    pub(crate) repositories: Option<Vec<u64>>,
    /// In seconds since 1970.
    pub(crate) expires: u64,
}

impl Grant {
    /// True if it is about the repository of that number.
    pub(crate) fn includes(&self, repository: u64) -> bool {
        self.repositories.as_ref().is_none_or(|all| all.contains(&repository))
    }

    /// True if it allows this kind of use.
    pub(crate) fn allows(&self, permission: &str, level: Level) -> bool {
        self.permissions.get(permission).is_some_and(|given| *given >= level)
    }
}

/// Makes and reads tokens.
#[derive(Debug, Clone)]
pub(crate) struct InstallationTokens(Seal);

impl InstallationTokens {
    pub(crate) fn new(master: &SecretString) -> Self {
        Self(Seal::derive(master, "installation"))
    }

    /// The token of a grant. None if it does not fit into one.
    pub(crate) fn issue(&self, grant: &Grant) -> Option<SecretString> {
        let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(grant).ok()?);
        let token = format!("{PREFIX}{}", self.0.close(&text));
        (token.len() <= MAX_LENGTH).then(|| token.into())
    }

    /// What a token is good for, at this time.
    pub(crate) fn read(&self, token: &str, now: u64) -> Option<Grant> {
        let sealed = token.strip_prefix(PREFIX).filter(|sealed| sealed.len() <= MAX_LENGTH)?;
        let text = self.0.open(sealed)?;
        let grant: Grant = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        (grant.expires > now).then_some(grant)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn grant(expires: u64) -> Grant {
        let permissions = [("contents".to_owned(), Level::Read), ("checks".to_owned(), Level::Write)].into();
        Grant { installation: 7, permissions, repositories: Some(vec![1, 2]), expires }
    }

    #[test]
    fn a_token_is_good_for_what_it_says_until_it_ends() {
        let tokens = InstallationTokens::new(&"master".into());
        let token = tokens.issue(&grant(200)).unwrap();
        let read = tokens.read(token.expose_secret(), 199).unwrap();
        assert_eq!(read, grant(200));
        assert_eq!(tokens.read(token.expose_secret(), 200), None);
        assert!(read.includes(2) && !read.includes(3));
        assert!(read.allows("contents", Level::Read) && !read.allows("contents", Level::Write));
        assert!(read.allows("checks", Level::Write) && read.allows("checks", Level::Read));
        assert!(!read.allows("deployments", Level::Read));
    }

    #[test]
    fn nobody_else_makes_one() {
        let tokens = InstallationTokens::new(&"master".into());
        let token = tokens.issue(&grant(200)).unwrap();
        let token = token.expose_secret();
        let foreign = InstallationTokens::new(&"other".into()).issue(&grant(200)).unwrap();
        let (text, seal) = token.rsplit_once('.').unwrap();
        let richer = Grant { repositories: None, ..grant(200) };
        let richer = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&richer).unwrap());
        let wrong = [
            foreign.expose_secret().to_owned(),
            format!("ofs_{richer}.{seal}"),
            text.to_owned(),
            token[4..].to_owned(),
            format!("ofs_{}", "a".repeat(20_000)),
            String::new(),
        ];
        for token in wrong {
            assert_eq!(tokens.read(&token, 100), None, "{token}");
        }
    }
}
