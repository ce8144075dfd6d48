//! Links that sign somebody in once.
//!
//! A link is made by whoever can read the installation's key, without asking the running host: its address holds
//! the login, the end of its time and a number, under a seal. That it was used is on disk.

use sdk::id::Owner;
use secrecy::SecretString;

use crate::seal::Seal;

/// How long a link may be used, in seconds.
pub const LINK_SECONDS: u64 = 15 * 60;
/// Below this path are the links.
const PATH: &str = "/login/link/";

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) owner: Owner,
    pub(crate) expires: u64,
    pub(crate) id: String,
}

/// The path, at the git host, of a new link that signs `owner` in once within [`LINK_SECONDS`] of `now`
/// (seconds since 1970). Whoever has it first is let in, so it is a secret until it has been used.
pub fn login_link(master: &SecretString, owner: &Owner, now: u64) -> SecretString {
    let id = uuid::Uuid::new_v4().simple();
    let text = format!("{owner}.{}.{id}", now.saturating_add(LINK_SECONDS));
    format!("{PATH}{}", seal(master).close(&text)).into()
}

/// The seal of links.
pub(crate) fn seal(master: &SecretString) -> Seal {
    Seal::derive(master, "link")
}

impl Link {
    /// What a link's last part says, expired or not; `None` if it is none of ours.
    pub(crate) fn read(seal: &Seal, text: &str) -> Option<Self> {
        let mut parts = seal.open(text)?.split('.');
        let (owner, expires, id) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { owner: owner.parse().ok()?, expires: expires.parse().ok()?, id: id.to_owned() })
            .filter(|link| !crate::owners::is_reserved(&link.owner))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn made(owner: &str) -> String {
        let path = login_link(&"master".into(), &owner.parse().unwrap(), 1000);
        path.expose_secret().strip_prefix(PATH).unwrap().to_owned()
    }

    #[test]
    fn a_link_is_for_one_login_and_another_each_time() {
        let seal = seal(&"master".into());
        let link = Link::read(&seal, &made("Alice")).unwrap();
        assert_eq!((link.owner.as_str(), link.expires), ("alice", 1000 + LINK_SECONDS));
        assert_ne!(Link::read(&seal, &made("alice")).unwrap().id, link.id);
        let forged = made("alice").replacen("alice", "bob", 1);
        let later = made("alice").replacen(&link.expires.to_string(), "9999999999", 1);
        for text in [forged, later, String::new(), "a.1.b.".into(), made("system")] {
            assert_eq!(Link::read(&seal, &text), None, "{text}");
        }
        assert_eq!(Link::read(&super::seal(&"other".into()), &made("alice")), None);
    }
}
