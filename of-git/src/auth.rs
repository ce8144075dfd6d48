//! Who is asking, and what they may do.

use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use sdk::failure::Failure;
use sdk::id::{Owner, RepoPath};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

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
}

/// No or wrong credentials; the answer never says which part was wrong.
#[derive(Debug)]
pub(crate) struct Unauthorized;

/// The keys that credentials are checked against.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) token_key: SecretString,
    pub(crate) platform_token: SecretString,
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

    /// The platform, by its bearer token; nobody else uses the REST interface.
    pub(crate) fn bearer(&self, headers: &HeaderMap) -> Result<Caller, Unauthorized> {
        self.check_platform(bearer_token(headers).ok_or(Unauthorized)?)
    }

    fn check_platform(&self, given: &str) -> Result<Caller, Unauthorized> {
        same(self.platform_token.expose_secret(), given).then_some(Caller::Platform).ok_or(Unauthorized)
    }
}

impl Caller {
    /// Whom the caller acts for, if that is not the platform itself.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Owner(owner) => Some(owner),
            Self::Platform => None,
        }
    }

    /// Refuses a reader whose repository this is not, in the words used for one that does not exist.
    pub(crate) fn may_read(&self, path: &RepoPath) -> Result<(), Failure> {
        match self {
            Self::Platform => Ok(()),
            Self::Owner(owner) if *owner == path.owner => Ok(()),
            Self::Owner(_) => Err(missing(path)),
        }
    }

    /// The owner who pushes, if the repository is theirs.
    pub(crate) fn may_push(&self, path: &RepoPath) -> Result<Owner, Failure> {
        match self {
            Self::Owner(owner) if *owner == path.owner => Ok(owner.clone()),
            Self::Owner(owner) => Err(Failure::new(
                StatusCode::FORBIDDEN,
                format!("You are signed in as {owner} and cannot push to {path}. Push to /{owner}/<repository>.git."),
            )),
            Self::Platform => Err(Failure::new(StatusCode::FORBIDDEN, "The platform's token reads; it does not push.")),
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
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys { token_key: "master".into(), platform_token: "platform".into() }
    }

    fn header(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    fn basic(user: &str, password: &str) -> HeaderMap {
        header(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }

    #[test]
    fn the_right_token_opens_and_everything_else_does_not() {
        let alice: Owner = "alice".parse().unwrap();
        let secret = token(&keys().token_key, &alice);
        let right = secret.expose_secret();
        assert_eq!(keys().basic(&basic("alice", right)).unwrap(), Caller::Owner(alice));
        assert_eq!(keys().basic(&basic("x-access-token", "platform")).unwrap(), Caller::Platform);
        let wrong = [
            basic("bob", right),
            basic("alice", "platform"),
            basic("alice", ""),
            basic("x-access-token", right),
            basic("", right),
            basic("../alice", right),
            header("Basic !!!"),
            header("Basic"),
            header(&format!("Bearer {right}")),
            HeaderMap::new(),
        ];
        for headers in wrong {
            assert!(keys().basic(&headers).is_err(), "{headers:?}");
        }
    }

    #[test]
    fn only_the_platform_has_a_bearer_token() {
        assert_eq!(keys().bearer(&header("Bearer platform")).unwrap(), Caller::Platform);
        assert_eq!(keys().bearer(&header("token platform")).unwrap(), Caller::Platform);
        for value in ["Bearer", "Bearer ", "Bearer platfor", "Bearer platform2", "Basic platform"] {
            assert!(keys().bearer(&header(value)).is_err(), "{value}");
        }
    }

    #[test]
    fn a_foreign_repository_reads_like_a_missing_one_and_refuses_pushes() {
        let path: RepoPath = "bob/private".parse().unwrap();
        let alice = Caller::Owner("alice".parse().unwrap());
        assert_eq!(alice.may_read(&path).unwrap_err().public(), missing(&path).public());
        assert_eq!(alice.may_push(&path).unwrap_err().status(), StatusCode::FORBIDDEN);
        assert_eq!(Caller::Platform.may_push(&path).unwrap_err().status(), StatusCode::FORBIDDEN);
        assert!(Caller::Platform.may_read(&path).is_ok());
    }
}
