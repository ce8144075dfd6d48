//! Identifiers. Each is checked when it is made, so that whoever holds one may put it into a path, a label
//! or an image name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name that Kubernetes and DNS take for one label, in characters.
pub const MAX_LABEL: usize = 63;
/// The longest login of GitHub, in characters.
pub const MAX_LOGIN: usize = 39;

/// Text that is no identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{shown}' is not {rule}")]
pub struct InvalidId {
    shown: String,
    rule: &'static str,
}

impl InvalidId {
    fn new(text: &str, rule: &'static str) -> Self {
        let shown = text.chars().filter(|c| !c.is_control()).take(80).collect();
        Self { shown, rule }
    }
}

/// Defines a string newtype: `$check` turns text into its normal form or refuses it.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $rule:expr, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The rule that every value keeps, as the end of a sentence that begins "… is not".
            pub const RULE: &'static str = $rule;

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let check: fn(&str) -> Option<String> = $check;
                check(text).map(Self).ok_or_else(|| InvalidId::new(text, Self::RULE))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

identifier!(
    /// An owner's current login, lower-cased. It is a name only: who the owner is, [`OwnerId`] says.
    Owner,
    "an owner's login: 1 to 39 letters, digits and single inner hyphens",
    |text| {
        let login = text.to_ascii_lowercase();
        (login.len() <= MAX_LOGIN && is_label(&login)).then_some(login)
    }
);

identifier!(
    /// A repository's name without its owner. Its case is kept.
    RepoName,
    "a repository name: 1 to 100 letters, digits, '-', '_' and '.', not beginning with '.' or '-' and not ending in '.git' or '.lock'",
    |text| {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        let lower = text.to_ascii_lowercase();
        let reserved = text.starts_with(['.', '-']) || lower.ends_with(".git") || lower.ends_with(".lock");
        (plain && !reserved && !text.contains("..") && (1..=100).contains(&text.len())).then(|| text.to_owned())
    }
);

identifier!(
    /// A repository's full path at its host, with groups in groups. Its case is kept.
    HostPath,
    "a repository's path: 2 to 20 names of letters, digits, '-', '_' and '.' with slashes between them",
    |text| {
        let part = |part: &str| {
            let plain = part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
            plain && !part.is_empty() && !part.starts_with(['.', '-']) && !part.contains("..")
        };
        let parts = text.split('/').count();
        ((2..=20).contains(&parts) && text.len() <= 1000 && text.split('/').all(part)).then(|| text.to_owned())
    }
);

identifier!(
    /// A full commit id: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
    CommitSha,
    "a full commit id of 40 or 64 hexadecimal digits",
    |text| {
        let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
        (hex && matches!(text.len(), 40 | 64)).then(|| text.to_ascii_lowercase())
    }
);

impl CommitSha {
    /// The first seven digits, as people write commits.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }

    /// True for the all-zero id by which a push says that a branch was made or deleted.
    pub fn is_zero(&self) -> bool {
        self.0.bytes().all(|b| b == b'0')
    }
}

identifier!(
    /// A function's name in its owner's stack.yml.
    FunctionName,
    "a function name: 1 to 63 lower-case letters, digits and inner hyphens (RFC 1123)",
    |text| (text.len() <= MAX_LABEL && is_label(text)).then(|| text.to_owned())
);

identifier!(
    /// The name under which a function is deployed at the gateway: `<login>-<function>` for a tenant's,
    /// the folder's name for the platform's own.
    ServiceName,
    "a service name: 1 to 63 lower-case letters, digits and inner hyphens (RFC 1123)",
    |text| (text.len() <= MAX_LABEL && is_label(text)).then(|| text.to_owned())
);

impl ServiceName {
    /// The deployed name of an owner's function.
    ///
    /// # Errors
    /// When both together are longer than 63 characters.
    pub fn of(owner: &Owner, function: &FunctionName) -> Result<Self, InvalidId> {
        let name = format!("{owner}-{function}");
        name.parse().map_err(|_| {
            InvalidId::new(
                &name,
                "short enough: the owner's login, a hyphen and the function's name may have 63 characters together",
            )
        })
    }
}

identifier!(
    /// A content digest: `sha256:` and 64 hexadecimal digits.
    ImageDigest,
    "an image digest: 'sha256:' and 64 lower-case hexadecimal digits",
    |text| {
        let hex = text.strip_prefix("sha256:")?;
        let lower = hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        (lower && hex.len() == 64).then(|| text.to_owned())
    }
);

/// Who an owner is: the host that knows it and its number there. Survives a change of login.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OwnerId {
    /// The source-code host, for example `github.com` or `git.localhost`.
    pub host: String,
    /// The owner's number at that host; never 0.
    pub id: u64,
}

/// `<owner>/<repository>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RepoPath {
    /// The owner's login.
    pub owner: Owner,
    /// The repository's name.
    pub repo: RepoName,
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.repo)
    }
}

impl FromStr for RepoPath {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (owner, repo) = text.split_once('/').ok_or_else(|| InvalidId::new(text, "of the form owner/repository"))?;
        Ok(Self { owner: owner.parse()?, repo: repo.parse()? })
    }
}

/// True for an RFC 1123 label: lower-case letters and digits, hyphens only inside.
fn is_label(text: &str) -> bool {
    let allowed = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    allowed && !text.is_empty() && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests;
