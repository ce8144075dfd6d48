//! Who is asking, and what they may do.

use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use sdk::failure::Failure;
use sdk::id::{Owner, RepoPath};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::clock;
use crate::github_app::Level;
use crate::installation_token::{Grant, InstallationTokens};
use crate::owners::Owners;
use crate::token::token;

/// The user name under which the platform reads repositories, as GitHub Apps do.
const PLATFORM_USER: &str = "x-access-token";

/// A caller whose secret was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A person or program acting for one owner.
    Owner(Owner),
    /// A function of the platform.
    Platform,
    /// The App, for an installation of it.
    Installation(Grant),
}

/// No or wrong credentials; the answer never says which part was wrong.
#[derive(Debug)]
pub(crate) struct Unauthorized;

/// The keys that credentials are checked against.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) token_key: SecretString,
    pub(crate) platform_token: Option<SecretString>,
    pub(crate) installation_tokens: InstallationTokens,
}

impl Keys {
    /// Who sends these headers, by HTTP Basic authentication.
    pub(crate) fn basic(&self, headers: &HeaderMap) -> Result<Caller, Unauthorized> {
        let given = credentials(headers, "basic").ok_or(Unauthorized)?;
        let bytes = STANDARD.decode(given.trim()).map_err(|_| Unauthorized)?;
        let text = String::from_utf8(bytes).map_err(|_| Unauthorized)?;
        let (user, password) = text.split_once(':').ok_or(Unauthorized)?;
        if user == PLATFORM_USER {
            return self.check_platform(password);
        }
        let owner: Owner = user.parse().map_err(|_| Unauthorized)?;
        if self.is_token_of(&owner, password) { Ok(Caller::Owner(owner)) } else { Err(Unauthorized) }
    }

    /// True if this is the token with which `owner` pushes.
    pub(crate) fn is_token_of(&self, owner: &Owner, given: &str) -> bool {
        same(token(&self.token_key, owner).expose_secret(), given)
    }

    /// The platform or the App, by its bearer token.
    pub(crate) fn bearer(&self, headers: &HeaderMap) -> Result<Caller, Unauthorized> {
        self.check_platform(bearer_token(headers).ok_or(Unauthorized)?)
    }

    /// Who sends these headers to the REST interface about something of `owner`'s: by either way of GitHub's. A push
    /// token does not say whose it is, so it counts for the owner that is asked about.
    pub(crate) fn rest(&self, headers: &HeaderMap, owner: &Owner) -> Result<Caller, Unauthorized> {
        match bearer_token(headers) {
            Some(given) if self.is_token_of(owner, given) => Ok(Caller::Owner(owner.clone())),
            Some(given) => self.check_platform(given),
            None => self.basic(headers),
        }
    }

    fn check_platform(&self, given: &str) -> Result<Caller, Unauthorized> {
        if self.platform_token.as_ref().is_some_and(|token| same(token.expose_secret(), given)) {
            return Ok(Caller::Platform);
        }
        self.installation_tokens.read(given, clock::now()).map(Caller::Installation).ok_or(Unauthorized)
    }
}

impl Caller {
    /// Whom the caller acts for, if that is not the platform itself.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Owner(owner) => Some(owner),
            Self::Platform | Self::Installation(_) => None,
        }
    }

    /// Refuses a reader whose repository this is not, in the words used for one that does not exist.
    pub(crate) fn may_read(&self, path: &RepoPath, owners: &Owners) -> Result<(), Failure> {
        let may = match self {
            Self::Platform => true,
            Self::Owner(owner) => *owner == path.owner,
            Self::Installation(grant) => grant.allows("contents", Level::Read) && reaches(grant, path, owners),
        };
        if may { Ok(()) } else { Err(missing(path)) }
    }

    /// The owner who pushes, if the repository is theirs.
    pub(crate) fn may_push(&self, path: &RepoPath) -> Result<Owner, Failure> {
        match self {
            Self::Owner(owner) if *owner == path.owner => Ok(owner.clone()),
            Self::Owner(owner) => Err(Failure::new(
                StatusCode::FORBIDDEN,
                format!("You are signed in as {owner} and cannot push to {path}. Push to /{owner}/<repository>.git."),
            )),
            Self::Platform | Self::Installation(_) => {
                Err(Failure::new(StatusCode::FORBIDDEN, "The platform's token reads; it does not push."))
            }
        }
    }
}

impl IntoResponse for Unauthorized {
    fn into_response(self) -> Response {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"of-git\", charset=\"UTF-8\"")];
        let text = "Sign in with your login as the user name and your token as the password.\n";
        (StatusCode::UNAUTHORIZED, challenge, text).into_response()
    }
}

/// True if a token of an installation is about this repository, and the App is still installed for it.
pub(crate) fn reaches(grant: &Grant, path: &RepoPath, owners: &Owners) -> bool {
    let known = owners.repository(path).filter(|known| known.installed && known.owner_id == grant.installation);
    known.is_some_and(|known| grant.includes(known.repo_id))
}

/// The one answer for a repository that is not there and for one that the caller may not see.
pub(crate) fn missing(path: &RepoPath) -> Failure {
    Failure::not_found(format!("There is no repository {path} here, or you may not read it."))
}

/// The token of a request to the REST interface, in either of GitHub's ways.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    credentials(headers, "bearer").or_else(|| credentials(headers, "token")).map(str::trim)
}

fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (given, rest) = value.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then_some(rest)
}

fn same(expected: &str, given: &str) -> bool {
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

#[cfg(test)]
mod tests;
