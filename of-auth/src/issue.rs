//! Who has a session, and the tokens that say so.

use sdk::identity::Identity;
use session::{Claims, KeyError, MAX_TOKEN, Refused};

use crate::address::Site;
use crate::app::App;
use crate::store::{Session, StoreError};
use crate::tenants::NotAdmitted;

/// More organisations than this never fit into a token, however short their names are.
const MOST_ORGANISATIONS: usize = 80;

/// For how long it counts what a provider said about somebody, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoleRules {
    /// For sessions. Then the person comes by the provider again.
    pub(crate) session: u64,
    /// For API tokens. Then they are for the person's own things alone.
    pub(crate) token: u64,
}

/// Why somebody has no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum No {
    /// The token is none of ours, or not for this host.
    #[error("the token is not valid here")]
    Invalid,
    /// The session has ended.
    #[error("the session has ended")]
    Ended,
    /// What the provider said about the person is too old.
    #[error("the person's roles have to be read anew")]
    RolesOld,
    /// The person is no tenant any more.
    #[error("the person is no longer admitted")]
    NotAdmitted(#[source] NotAdmitted),
    /// It cannot be told.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No token could be made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Somebody's session, as one host sees it.
#[derive(Debug, Clone)]
pub(crate) struct Living {
    pub(crate) session: Session,
    pub(crate) claims: Claims,
    /// A newer token than the one that was shown.
    pub(crate) renewed: Option<String>,
}

impl App {
    /// Whose session a token is of, at a site. One that has expired is renewed as long as its session lasts.
    pub(crate) async fn living(&self, token: &str, site: &Site) -> Result<Living, No> {
        let now = self.clock.now();
        let shown = self.keys.current().verifier.verify(token, &self.addresses.host(site), now);
        let (claims, expired) = match shown {
            Ok(claims) => (claims, false),
            Err(Refused::Expired(claims)) => (*claims, true),
            Err(Refused::UnknownKey | Refused::Invalid) => return Err(No::Invalid),
        };
        if expired {
            return self.renew(&claims.sid, site).await;
        }
        let session = self.store.session(&claims.sid, now, self.sessions).await?.ok_or(No::Ended)?;
        Ok(Living { session, claims, renewed: None })
    }

    /// A new token of a session for a site. The person's roles are those of the last login, which must not be too long
    /// ago; whether the person is still a tenant is asked anew.
    pub(crate) async fn renew(&self, sid: &str, site: &Site) -> Result<Living, No> {
        let now = self.clock.now();
        let session = self.store.session(sid, now, self.sessions).await?.ok_or(No::Ended)?;
        let known = self.store.person(&session.subject).await?.ok_or(No::Ended)?;
        let old = known.said.saturating_add(self.roles.session);
        if now >= old {
            return Err(No::RolesOld);
        }
        let who = self.tenants.admit(known.person).await.map_err(No::NotAdmitted)?;
        self.store.touch(sid, now).await?;
        let ends = now.saturating_add(self.token_lifetime).min(session.last(self.sessions)).min(old);
        let claims = Claims { last: Some(session.last(self.sessions)), ..self.claims(site, sid, who, now, ends) };
        let (claims, token) = self.signed(claims)?;
        Ok(Living { session: Session { seen: now, ..session }, claims, renewed: Some(token) })
    }

    /// What a token for a site says about somebody: of the organisations, only those that matter there.
    pub(crate) fn claims(&self, site: &Site, sid: &str, who: Identity, now: u64, ends: u64) -> Claims {
        Claims {
            iss: self.addresses.issuer(),
            aud: self.addresses.host(site),
            sub: who.subject(),
            sid: sid.to_owned(),
            iat: now,
            exp: ends,
            who: seen_at(site, who),
            last: None,
        }
    }

    /// Signs claims. Organisations that do not fit into a cookie are left out, those with the least role first.
    fn signed(&self, mut claims: Claims) -> Result<(Claims, String), KeyError> {
        let ring = self.keys.current();
        let all = claims.who.organisations.len();
        if all > MOST_ORGANISATIONS {
            by_role(&mut claims);
            claims.who.organisations.truncate(MOST_ORGANISATIONS);
        }
        let mut token = ring.signer.sign(&claims)?;
        if token.len() > MAX_TOKEN {
            by_role(&mut claims);
        }
        while token.len() > MAX_TOKEN && claims.who.organisations.pop().is_some() {
            token = ring.signer.sign(&claims)?;
        }
        let kept = claims.who.organisations.len();
        if kept < all {
            tracing::warn!(subject = claims.sub, all, kept, "Not all organisations fit into the session's token");
        }
        Ok((claims, token))
    }
}

fn by_role(claims: &mut Claims) {
    claims.who.organisations.sort_by_key(|organisation| std::cmp::Reverse(organisation.role));
}

/// An owner's host learns of no other organisation than itself.
fn seen_at(site: &Site, mut who: Identity) -> Identity {
    if let Site::Owner(owner) = site {
        who.organisations.retain(|organisation| organisation.login == *owner);
    }
    who
}

#[cfg(test)]
mod tests {
    use sdk::identity::{Organisation, Role};

    use super::*;

    #[test]
    fn an_owner_s_host_learns_of_that_owner_alone() {
        let organisation = |id, login: &str| Organisation { id, login: login.parse().unwrap(), role: Role::Member };
        let who = Identity {
            host: "github.com".into(),
            id: 42,
            login: "alice".parse().unwrap(),
            organisations: vec![organisation(7, "acme"), organisation(8, "beta")],
            operator: true,
        };
        let seen = seen_at(&Site::Owner("acme".parse().unwrap()), who.clone());
        assert_eq!(seen.organisations, [organisation(7, "acme")]);
        assert!(seen_at(&Site::Owner("alice".parse().unwrap()), who.clone()).organisations.is_empty());
        assert_eq!(seen_at(&Site::System, who.clone()), who);
    }
}
